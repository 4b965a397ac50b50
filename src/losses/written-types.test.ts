import { expectTypeOf, it } from 'vitest';
import type * as z from 'zod';
import type { modelConfigSchema } from '../models/config.ts';
import type { ModelConfig } from '../models/model-config.ts';
import type { criterionConfigSchema } from './config.ts';
import type { CriterionConfig } from './criterion-config.ts';

/** A type without `readonly`, at every depth, so that only keys and values are compared. */
type Mutable<T> = T extends object ? { -readonly [Key in keyof T]: Mutable<T[Key]> } : T;

it('the written-out types of configurations equal their schemas', () => {
  expectTypeOf<Mutable<ModelConfig>>().toEqualTypeOf<Mutable<z.infer<typeof modelConfigSchema>>>();
  expectTypeOf<Mutable<CriterionConfig>>().toEqualTypeOf<Mutable<z.infer<typeof criterionConfigSchema>>>();
});
