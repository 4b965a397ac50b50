/*
 * Mixing functions of 32-bit integers: bijections in which every input bit changes about half of the output bits. They
 * are hashes of positions as well as steps of generators, and equal on every platform.
 */

/** 2³² divided by the golden ratio, made odd: its multiples run through all 32-bit integers and stay far apart. */
export const GOLDEN_RATIO = 0x9e3779b9;

/** The 32-bit finalizer of MurmurHash3 (Appleby). Takes and returns a signed or unsigned 32-bit integer. */
export const murmurMix = (value: number): number => {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};

/** Shifts and multipliers of `lowbiasMix`; dropout computes the same function inside a program. */
export const LOWBIAS = { shifts: [16, 15, 15], multipliers: [0x21f0aaad, 0x735a2d97] } as const;

/** The mixing function lowbias32 (Wellons). Takes and returns a signed or unsigned 32-bit integer. */
export const lowbiasMix = (value: number): number => {
  const { shifts, multipliers } = LOWBIAS;
  let h = value;
  h = Math.imul(h ^ (h >>> shifts[0]), multipliers[0]);
  h = Math.imul(h ^ (h >>> shifts[1]), multipliers[1]);
  return h ^ (h >>> shifts[2]);
};

/** Hash of a seed and a name (FNV-1a over the name's UTF-8 bytes), an unsigned 32-bit integer. */
export const hashName = (seed: number, name: string): number => {
  let hash = (2166136261 ^ seed) >>> 0;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 16777619) >>> 0;
  return hash;
};

/**
 * Seed of the dropout masks of one batch of a training step, an unsigned 32-bit integer. Depends on nothing but its
 * arguments, so that a resumed run drops the same values.
 *
 * @param batch index of the batch among those of all processes in this step
 */
export const dropoutSeed = (seed: number, step: number, batch: number): number =>
  (seed + Math.imul(step + Math.imul(batch, 0x85ebca6b), GOLDEN_RATIO)) >>> 0;
