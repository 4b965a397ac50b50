import { MdetrError } from '../../errors.ts';

/** Rows accessible by index, such as an `AnnotationIndex`. */
export interface RowSource {
  readonly length: number;
  /** Width and height of a row's image in pixels; 0 where unknown. */
  sizeOf(row: number): { readonly width: number; readonly height: number };
}

/** One of the datasets of a `MixedDataset`. */
export interface DatasetPart<S extends RowSource> {
  /** Name as in `combine_datasets`: `flickr`, `mixed`, `gqa` … */
  readonly name: string;
  readonly source: S;
}

/** Concatenation of datasets, like PyTorch's `ConcatDataset` of the official `combine_datasets`. */
export class MixedDataset<S extends RowSource = RowSource> {
  readonly parts: readonly DatasetPart<S>[];
  readonly length: number;
  /** Index of the first row of each part. */
  private readonly starts: readonly number[];

  constructor(parts: readonly DatasetPart<S>[]) {
    this.parts = parts;
    const starts: number[] = [];
    let length = 0;
    for (const { name, source } of parts) {
      if (source.length === 0) throw new MdetrError(`the dataset "${name}" has no rows`);
      starts.push(length);
      length += source.length;
    }
    if (parts.length === 0) throw new MdetrError('there is no dataset to sample from');
    this.starts = starts;
    this.length = length;
  }

  /** The part that holds row `index`, and the row's index within it. */
  locate(index: number): { readonly part: DatasetPart<S>; readonly row: number } {
    if (!(index >= 0 && index < this.length)) throw new RangeError(`internal: row ${index} of ${this.length}`);
    let p = this.parts.length - 1;
    while (this.starts[p]! > index) p--;
    return { part: this.parts[p]!, row: index - this.starts[p]! };
  }

  /** Width divided by height of a row's image; 1 where the size is unknown. */
  aspectRatioOf(index: number): number {
    const { part, row } = this.locate(index);
    const { width, height } = part.source.sizeOf(row);
    return width > 0 && height > 0 ? width / height : 1;
  }
}
