/**
 * The part of `@huggingface/tokenizers` that this folder uses. The package's own declarations import each other without
 * file endings, which TypeScript's NodeNext resolution does not follow, so its classes are invisible there.
 */
declare module '@huggingface/tokenizers' {
  export interface BpeConfig {
    readonly type: 'BPE';
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (readonly [left: string, right: string])[];
  }
  export class BPE {
    constructor(config: BpeConfig);
    /** Merges the characters of one word; what comes out need not be in the vocabulary. */
    bpe(word: string): string[];
  }
}
