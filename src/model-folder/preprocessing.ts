import { MdetrError } from '../errors.ts';
import type { ModelConfig } from '../models/index.ts';

/** How images are resized for a model: Hugging Face's `preprocessor_config.json`. Both sides are in pixels. */
export interface Preprocessing {
  /** The shorter side becomes this … */
  readonly shortestEdge: number;
  /** … unless the longer side would exceed this. */
  readonly longestEdge: number;
}

/** The official validation transform. */
export const OFFICIAL_PREPROCESSING: Preprocessing = { shortestEdge: 800, longestEdge: 1333 };

/** CLEVR's images all have this size, and the official code does not resize them. */
const CLEVR_PREPROCESSING: Preprocessing = { shortestEdge: 320, longestEdge: 480 };

/** The official preprocessing for the datasets that a model was trained on. */
export const usualPreprocessing = ({ combine_datasets: datasets }: ModelConfig): Preprocessing =>
  datasets.length > 0 && datasets.every((name) => name.startsWith('clevr'))
    ? CLEVR_PREPROCESSING
    : OFFICIAL_PREPROCESSING;

const MIN_SIDE_PX = 16;
const MAX_SIDE_PX = 4096;

/**
 * Reads the parsed JSON of a `preprocessor_config.json`; other keys are ignored.
 *
 * @throws {MdetrError} naming `where` if a size is missing or not an integer from 16 to 4096
 */
export const parsePreprocessing = (json: unknown, where: string): Preprocessing => {
  const size = fieldOf(json, 'size');
  const [shortestEdge, longestEdge] = [fieldOf(size, 'shortest_edge'), fieldOf(size, 'longest_edge')];
  if (!isSide(shortestEdge) || !isSide(longestEdge))
    throw new MdetrError(
      `${where}: needs "size": {"shortest_edge", "longest_edge"} as integers of pixels from ${MIN_SIDE_PX} to ${MAX_SIDE_PX}`,
    );
  return { shortestEdge, longestEdge };
};

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

const isSide = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= MIN_SIDE_PX && (value as number) <= MAX_SIDE_PX;
