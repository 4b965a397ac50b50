import sharp from 'sharp';
import { MDETR } from '../../src/inference/node/mdetr.ts';
import type { DetectionResult } from '../../src/results/types.ts';
import { generateScene } from '../../src/scenes/index.ts';
import { formOf } from './server-requests.ts';

/** Captions of the load. */
export const LOAD_CAPTIONS = ['a red cube', 'the small ball', 'two metal cylinders', 'a large green rubber sphere'];

/** A scene as a PNG file. */
export const scenePng = async (seed: number, index: number, width = 320, height = 240) => {
  const { data } = generateScene(seed, index, { width, height }).image;
  const png = sharp(data, { raw: { width, height, channels: 3 } }).png();
  return new Uint8Array(await png.toBuffer());
};

/** A request, and its result without any other one beside it. */
export interface LoadCase {
  readonly image: Uint8Array<ArrayBuffer>;
  readonly caption: string;
  readonly alone: DetectionResult;
}

/** Requests of three image sizes, so that batches have to be told apart. */
export const makeLoadCases = async (cacheDir: string | undefined, images = 24): Promise<LoadCase[]> => {
  const sizes = [
    [320, 240],
    [240, 320],
    [300, 300],
  ] as const;
  const model = await MDETR.fromPretrained('default', { cacheDir, threads: 1 });
  const cases: LoadCase[] = [];
  for (let index = 0; index < images; index++) {
    const image = await scenePng(5, index, ...sizes[index % sizes.length]!);
    for (const caption of LOAD_CAPTIONS)
      cases.push({ image, caption, alone: await model.detect(image, caption, { threshold: 0 }) });
  }
  await model.dispose();
  return cases;
};

/** @throws {Error} if an answer is not the result of the case alone, up to rounding */
export const checkAnswer = (found: DetectionResult, { caption, alone }: LoadCase): void => {
  if (found.caption !== caption) throw new Error(`"${caption}" was answered with the result of "${found.caption}"`);
  const rows = ({ detections }: DetectionResult) =>
    detections.toSorted((a, b) => a.query - b.query).map(({ query, score, box }) => [query, score * 100, ...box]);
  const [a, b] = [rows(found), rows(alone)];
  const isNear = (row: readonly number[], i: number): boolean =>
    row.every((value, k) => Math.abs(value - b[i]![k]!) < 5e-3);
  if (a.length !== b.length || !a.every(isNear))
    throw new Error(`"${caption}" was answered with other detections than alone`);
};

/** Sends one case. */
export const sendCase = (url: string, { image, caption }: LoadCase): Promise<Response> =>
  fetch(`${url}/v1/detect`, { method: 'POST', body: formOf({ image, caption, threshold: '0' }) });

/** Answers by status or by code of a failed connection, and the times of those that were accepted. */
export interface LoadReport {
  readonly counts: ReadonlyMap<number | string, number>;
  readonly acceptedMs: readonly number[];
}

/**
 * Sends requests, `clients` at a time, until `isOver`. A client that is refused tries again soon, which keeps an overload up;
 * it ends once connections are refused.
 *
 * @throws {Error} if an answer is wrong, or a refusal does not say when to try again
 */
export const loadServer = async (
  url: string,
  cases: readonly LoadCase[],
  clients: number,
  isOver: (sent: number) => boolean,
): Promise<LoadReport> => {
  const counts = new Map<number | string, number>();
  const acceptedMs: number[] = [];
  let sent = 0;
  const count = (key: number | string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
  const client = async (): Promise<void> => {
    while (!isOver(sent)) {
      const one = cases[(sent++ * 7) % cases.length]!;
      const started = performance.now();
      try {
        const response = await sendCase(url, one);
        count(response.status);
        const body = (await response.json()) as DetectionResult;
        if (response.status === 200) {
          acceptedMs.push(performance.now() - started);
          checkAnswer(body, one);
        } else {
          if (!(Number(response.headers.get('retry-after')) >= 1)) throw new Error('a refusal has no Retry-After');
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      } catch (error) {
        const { code } = ((error as Error).cause ?? {}) as { code?: string };
        if (code === undefined) throw error;
        count(code);
        if (code === 'ECONNREFUSED') return;
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { counts, acceptedMs };
};

/** Value below which a fraction of the times lies. */
export const percentile = (times: readonly number[], fraction: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(fraction * (times.length - 1))] ?? NaN;
