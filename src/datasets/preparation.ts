import type { Span } from '../data/format/coco-format.ts';

/** What a preparation reads: a file or folder of the data set as its authors distribute it. */
export interface SourceFile {
  /** Below the source folder, with `/` between. */
  readonly path: string;
  readonly kind: 'file' | 'folder';
  /** What it holds, in half a line. */
  readonly holds: string;
  /** Where to get it. */
  readonly from: string;
  /** As in `241 MB`. */
  readonly size: string;
  /** Other places where it may lie instead, below the source folder. */
  readonly or?: readonly string[];
}

/** An option of one preparation alone, `--NAME VALUE` on the command line. */
export interface PreparationOption {
  readonly name: string;
  readonly description: string;
  readonly choices?: readonly string[];
  readonly default?: string;
  /** What its value is called in the help; a switch without a value when missing. */
  readonly value?: string;
}

/** Which words of an expression name its main object, and which must not be claimed by another one's box. */
export interface RootPhrase {
  readonly rootSpans: readonly Span[];
  readonly negativeSpans: readonly Span[];
}

/** Work that data tools may not know how to do themselves (docs/architecture.md): handed in by whoever calls. */
export interface PreparationTools {
  /** Reads a pickle of plain data safely, dictionaries as objects. */
  readonly readPickle: (path: string) => Promise<unknown>;
  /** Loads what finds the root of an expression: spaCy's part in the official scripts. Spans count code points. */
  readonly loadRootFinder: () => Promise<(text: string) => RootPhrase>;
}

/** Hears how far the work is: one step after the other. */
export interface PreparationProgress {
  /** A step of `total` parts begins; the one before is over. */
  step(what: string, total: number): void;
  advance(count?: number): void;
}

export interface PreparationRequest {
  /** Folder with the data set as distributed. */
  readonly from: string;
  /** Folder for the annotation files. */
  readonly out: string;
  /** Which splits, in the order of `Preparation.splits`. */
  readonly splits: readonly string[];
  /** Values of `Preparation.options`; switches that were given are `true`. */
  readonly options: Readonly<Record<string, string | undefined>>;
  readonly tools: PreparationTools;
  readonly progress: PreparationProgress;
}

export interface PreparedFile {
  readonly path: string;
  readonly images: number;
  readonly annotations: number;
}

/** A list of images beside the annotation files, as `mdetr data combine --exclude` takes it: one number a line. */
export interface PreparedList {
  readonly path: string;
  readonly entries: number;
}

/** Something that is not as one would expect, counted, with a few places where it occurs. */
export interface Remark {
  readonly what: string;
  readonly count: number;
  readonly examples: readonly string[];
}

export interface PreparationReport {
  readonly files: readonly PreparedFile[];
  readonly lists?: readonly PreparedList[];
  /** What of the source is in none of the files, and why. */
  readonly leftOut: readonly Remark[];
  /** What is in them and worth knowing. */
  readonly notes: readonly Remark[];
}

/** Makes official annotation files of one data set. One file of this folder each. */
export interface Preparation {
  /** On the command line. */
  readonly name: string;
  readonly title: string;
  /** What is made of what, what is left out and why, how long it takes: a few paragraphs. */
  readonly about: string;
  readonly splits: readonly string[];
  /** Splits to make when none are asked for. Default: all. */
  readonly defaultSplits?: readonly string[];
  readonly options: readonly PreparationOption[];
  /** What these splits and options need. All of it is looked for before the work begins. */
  sources(request: Pick<PreparationRequest, 'splits' | 'options'>): readonly SourceFile[];
  /** @throws MdetrError naming file and place of what cannot be used */
  run(request: PreparationRequest): Promise<PreparationReport>;
}
