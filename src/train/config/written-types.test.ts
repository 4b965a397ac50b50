import { expectTypeOf, it } from 'vitest';
import type * as z from 'zod';
import type { TRAIN_SLICES } from './config.ts';
import type { DataConfig, OfficialDataConfig } from './data-settings.ts';
import type {
  AugmentationConfig,
  AuxiliaryConfig,
  InitializationConfig,
  OptimizerSettings,
  RunConfig,
  SceneTextConfig,
  ScheduleConfig,
  ValidationConfig,
} from './run-settings.ts';

/** A type without `readonly`, at every depth, so that only keys and values are compared. */
type Mutable<T> = T extends object ? { -readonly [Key in keyof T]: Mutable<T[Key]> } : T;
type Slice<Name extends keyof typeof TRAIN_SLICES> = Mutable<z.infer<(typeof TRAIN_SLICES)[Name]>>;

it('the written-out types of training settings equal their schemas', () => {
  expectTypeOf<Mutable<DataConfig>>().toEqualTypeOf<Slice<'data'>>();
  expectTypeOf<Mutable<OfficialDataConfig>>().toEqualTypeOf<Slice<'officialData'>>();
  expectTypeOf<Mutable<InitializationConfig>>().toEqualTypeOf<Slice<'initialization'>>();
  expectTypeOf<Mutable<SceneTextConfig>>().toEqualTypeOf<Slice<'sceneTexts'>>();
  expectTypeOf<Mutable<AugmentationConfig>>().toEqualTypeOf<Slice<'augmentation'>>();
  expectTypeOf<Mutable<OptimizerSettings>>().toEqualTypeOf<Slice<'optimizer'>>();
  expectTypeOf<Mutable<ScheduleConfig>>().toEqualTypeOf<Slice<'schedule'>>();
  expectTypeOf<Mutable<AuxiliaryConfig>>().toEqualTypeOf<Slice<'auxiliary'>>();
  expectTypeOf<Mutable<ValidationConfig>>().toEqualTypeOf<Slice<'validation'>>();
  expectTypeOf<Mutable<RunConfig>>().toEqualTypeOf<Slice<'run'>>();
});
