import type { OnBadRow } from '../../data/annotation-index/row-reader.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';

/** A file or folder that a preparation reads, as the authors of the dataset distribute it. */
export interface SourceFile {
  /** Path relative to the source folder, with `/` as separator. */
  readonly path: string;
  /** A file, or a folder with files. */
  readonly kind: 'file' | 'folder';
  /** Short description of the contents. */
  readonly holds: string;
  /** Download address. */
  readonly from: string;
  /** Size or number of entries, such as `241 MB`. */
  readonly size: string;
  /** Alternative paths relative to the source folder. */
  readonly or?: readonly string[];
}

/** An option that only one preparation has, `--NAME VALUE` on the command line. */
export interface PreparationOption {
  /** Name on the command line, without dashes. */
  readonly name: string;
  /** Help text. */
  readonly description: string;
  /** Allowed values. Default: any. */
  readonly choices?: readonly string[];
  /** Value if the option is not given. */
  readonly default?: string;
  /** Name of the value in the help. An option without it is a switch. */
  readonly value?: string;
}

/** Spans of an expression's root phrase, and spans that boxes of other objects must not claim. */
export interface RootPhrase {
  /** Spans of the root noun with the words to its left, in code points. */
  readonly rootSpans: readonly CodePointSpan[];
  /** Spans that no other object's box may claim, in code points. */
  readonly negativeSpans: readonly CodePointSpan[];
}

/** Functions that the caller provides, because `datasets` may not import the folders that implement them (docs/architecture.md). */
export interface PreparationTools {
  /** Reads a pickle of plain data without executing anything; dictionaries become objects. */
  readonly readPickle: (path: string) => Promise<unknown>;
  /** Loads the function that finds the root phrase of an expression (the official scripts use spaCy). Spans count code points. */
  readonly loadRootFinder: () => Promise<(text: string) => RootPhrase>;
}

/** Receives progress, one step after another. */
export interface PreparationProgress {
  /** Called when a step of `total` units begins, which ends the previous step. */
  step(what: string, total: number): void;
  /** Called when units of the step are done. Default: one. */
  advance(count?: number): void;
}

/** Arguments of `Preparation.run`. */
export interface PreparationRequest {
  /** Folder with the dataset as distributed. */
  readonly from: string;
  /** Output folder for the annotation files. */
  readonly out: string;
  /** Splits to prepare, in the order of `Preparation.splits`. */
  readonly splits: readonly string[];
  /** Values by option name; a switch that is on has the value `'true'`. */
  readonly options: Readonly<Record<string, string | undefined>>;
  /** Functions of the text processing that preparations share. */
  readonly tools: PreparationTools;
  /** Called as the work advances. */
  readonly progress: PreparationProgress;
  /** Action for entries of the source that cannot be used: `stop` (default), or `skip`, which counts them in the report. */
  readonly onBadRow?: OnBadRow | undefined;
}

/** A written annotation file, with the number of its images and annotations. */
export interface PreparedFile {
  /** Path of the annotation file. */
  readonly path: string;
  /** Number of rows. */
  readonly images: number;
  /** Number of boxes. */
  readonly annotations: number;
}

/** A list of image ids written beside the annotation files, one per line, as `mdetr data combine --exclude` reads it. */
export interface PreparedList {
  /** Path of the list. */
  readonly path: string;
  /** Number of entries. */
  readonly entries: number;
}

/** A peculiarity of the source: how often it occurs, and a few locations. */
export interface Remark {
  /** The observation, in one sentence. */
  readonly what: string;
  /** Number of occurrences. */
  readonly count: number;
  /** Locations of the first few. */
  readonly examples: readonly string[];
}

/** Result of `Preparation.run`. */
export interface PreparationReport {
  /** Annotation files that were written. */
  readonly files: readonly PreparedFile[];
  /** Lists that were written, such as those of answers. */
  readonly lists?: readonly PreparedList[];
  /** Parts of the source that are in none of the files, and why. */
  readonly leftOut: readonly Remark[];
  /** Parts that are in the files but need attention. */
  readonly notes: readonly Remark[];
}

/** Converts one dataset, as its authors distribute it, to annotation files in the official format. */
export interface Preparation {
  /** Name on the command line. */
  readonly name: string;
  /** Name of the data set, with its year. */
  readonly title: string;
  /** Help text of a few paragraphs: what the files contain, what is left out and why, how long it takes. */
  readonly about: string;
  /** Names of the splits, in the order in which they are written. */
  readonly splits: readonly string[];
  /** Splits prepared by default. Default: all. */
  readonly defaultSplits?: readonly string[];
  /** Options besides the splits. */
  readonly options: readonly PreparationOption[];
  /** Files needed for these splits and options. They are checked before `run` is called. */
  sources(request: Pick<PreparationRequest, 'splits' | 'options'>): readonly SourceFile[];
  /** Names of the files in the output folder for these splits and options. They are checked before `run` is called. */
  outputs(request: Pick<PreparationRequest, 'splits' | 'options'>): readonly string[];
  /**
   * Writes the annotation files.
   *
   * @throws {MdetrError} naming file and entry of the first value that cannot be used, unless such entries are skipped
   */
  run(request: PreparationRequest): Promise<PreparationReport>;
}
