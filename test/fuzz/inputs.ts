import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MdetrError, messageOf } from '../../src/errors.ts';
import { Random } from '../../src/random/random.ts';
import { mutate, STRETCH_CHARACTER } from './mutate.ts';
import type { InputFolders, Reader } from './reader.ts';

/** One input, which can be made again from these values. */
export interface InputName {
  readonly seed: number;
  readonly reader: string;
  readonly index: number;
}

/** Kinds of faults that the fuzzer finds. */
export type FaultKind =
  'crash' | 'hang' | 'memory' | 'foreign exception' | 'copied text' | 'write outside' | 'changed prototype';

export interface Outcome {
  readonly reader: string;
  readonly index: number;
  readonly status: 'accepted' | 'refused' | 'fault';
  readonly durationMs: number;
  readonly kind?: FaultKind | undefined;
  readonly message?: string | undefined;
}

/** Memory that reading one input may take. */
const MAX_MEMORY_BYTES = 500 * 2 ** 20;
/** A text of a file that is longer than what an error may quote of it. */
const COPIED_TEXT = STRETCH_CHARACTER.repeat(101);

/** Makes an input: a seed of the reader, mutated. */
export const makeInput = (seeds: readonly Uint8Array[], { seed, reader, index }: InputName): Uint8Array => {
  const random = Random.of(seed, reader, index);
  return mutate(random.pick(seeds), random, seeds);
};

const PROTOTYPES: readonly object[] = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  String.prototype,
  Number.prototype,
  Map.prototype,
  Set.prototype,
  Promise.prototype,
];

/** State of the built-in prototypes: names and identities of their members. */
const prototypeState = (): readonly unknown[] =>
  PROTOTYPES.flatMap((prototype) =>
    Reflect.ownKeys(prototype).flatMap((key) => {
      const { value, get } = Object.getOwnPropertyDescriptor(prototype, key)!;
      return [key, value, get] as unknown[];
    }),
  );

/** Runs inputs through readers, one after another, and looks for faults that leave the process alive. */
export class InputRunner {
  readonly #root = mkdtempSync(join(tmpdir(), 'mdetr-fuzz-'));
  readonly #folders: InputFolders;
  readonly #prototypes = prototypeState();

  constructor() {
    const box = join(this.#root, 'box');
    this.#folders = { input: join(box, 'input'), target: join(box, 'target') };
    this.#clean();
  }

  async run(reader: Reader, bytes: Uint8Array, index: number): Promise<Outcome> {
    const memoryBefore = process.resourceUsage().maxRSS;
    const begin = performance.now();
    let error: unknown;
    let status: Outcome['status'] = 'accepted';
    try {
      await reader.read(bytes, this.#folders);
    } catch (thrown) {
      error = thrown;
      status = 'refused';
    }
    const durationMs = performance.now() - begin;
    const fault = this.#faultOf(error, status, memoryBefore);
    this.#clean();
    return fault === undefined
      ? { reader: reader.name, index, status, durationMs }
      : { reader: reader.name, index, status: 'fault', durationMs, ...fault };
  }

  dispose(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }

  #faultOf(
    error: unknown,
    status: Outcome['status'],
    memoryBefore: number,
  ): Pick<Outcome, 'kind' | 'message'> | undefined {
    if (status === 'refused' && !(error instanceof MdetrError)) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { kind: 'foreign exception', message: text.slice(0, 2000) };
    }
    if (messageOf(error).includes(COPIED_TEXT))
      return { kind: 'copied text', message: messageOf(error).slice(0, 2000) };
    const grown = (process.resourceUsage().maxRSS - memoryBefore) * 1024;
    if (grown > MAX_MEMORY_BYTES) return { kind: 'memory', message: `${Math.round(grown / 2 ** 20)} MB` };
    const written = this.#foreignFiles();
    if (written.length > 0) return { kind: 'write outside', message: written.join(', ') };
    const state = prototypeState();
    const isUnchanged =
      state.length === this.#prototypes.length && state.every((value, i) => Object.is(value, this.#prototypes[i]));
    return isUnchanged ? undefined : { kind: 'changed prototype', message: String(error) };
  }

  /** Files that are neither in the target nor belong to the input. */
  #foreignFiles(): string[] {
    const box = join(this.#root, 'box');
    const allowed = /^(input|model|state|config|shard)\./;
    return [
      ...readdirSync(this.#root).filter((name) => name !== 'box'),
      ...readdirSync(box).filter((name) => name !== 'input' && name !== 'target'),
      ...readdirSync(this.#folders.input).filter((name) => !allowed.test(name)),
    ];
  }

  #clean(): void {
    for (const name of existsSync(this.#root) ? readdirSync(this.#root) : []) {
      if (name !== 'box') rmSync(join(this.#root, name), { recursive: true, force: true });
    }
    rmSync(join(this.#root, 'box'), { recursive: true, force: true });
    mkdirSync(this.#folders.input, { recursive: true });
    mkdirSync(this.#folders.target, { recursive: true });
  }
}
