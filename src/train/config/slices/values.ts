import * as z from 'zod';

/** A boolean; 1 and 0 are accepted because the official code and its JSON files write them. */
export const flag = z.union([z.boolean(), z.literal(0), z.literal(1)]).transform(Boolean);
export const positiveInteger = z.number().int().positive();
export const nonnegativeInteger = z.number().int().nonnegative();
/** From 0 to 1, both included. */
export const fraction = z.number().min(0).max(1);
export const nonnegative = z.number().nonnegative();
/** A file or folder; empty for none. */
export const path = z.string();
