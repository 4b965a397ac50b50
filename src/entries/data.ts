/** `mdetr/data`: images, annotations, transforms, the preparation of published datasets, and the import of one's own. */
export * from '../data/annotation-index/annotation-index.ts';
export type { ByteRange, IndexHeader, SectionName } from '../data/annotation-index/index-file.ts';
export { buildIndex, type BuildOptions } from '../data/annotation-index/build-index.ts';
export { RowReader, type OnBadRow, type ReaderOptions } from '../data/annotation-index/row-reader.ts';
export type {
  CocoAnnotation,
  CocoImage,
  CocoRow,
  Segmentation,
  Span as CodePointSpan,
} from '../data/format/coco-format.ts';
export * from '../data/format/row-checks.ts';
export * from '../data/format/row-target.ts';
export * from '../data/format/target.ts';
export { ImageRoots } from '../data/images/node/image-roots.ts';
export { decodeImage } from '../data/images/node/decode-image.ts';
export type { DecodeImageOptions, DecodeOptions, EncodableImage, ImageSource } from '../data/images/image-source.ts';
export type { Orientation, PixelSize } from '../data/images/orientation.ts';
export { cropImage, flipImage, rawImageFromPixels, type PixelInput, type RawImage } from '../data/images/raw-image.ts';
export { collateImages, IMAGENET_MEAN, IMAGENET_STD, type ImageBatch } from '../data/sampling/collate.ts';
export { flipCaption, type FlipMode, type FlippedCaption } from '../data/transforms/caption-flip.ts';
export * from '../data/transforms/random-transforms.ts';
export { resizeBilinear, resizedSize } from '../data/transforms/resize.ts';
export { cropSample, flipSample, resizeSample } from '../data/transforms/transforms.ts';
export * from '../datasets/index.ts';
export type { OverlapMeasure } from '../geometry/box-overlap.ts';
export * from '../geometry/boxes.ts';
export * from '../geometry/run-lengths.ts';
export type { Region, Size } from '../geometry/size.ts';
export { loadTokenizer } from '../text/node/tokenizer-files.ts';
export type { EncodeOptions, Encoding, Span, TextSpan, Tokenizer, TokenizerOptions } from '../text/index.ts';
export { Random } from '../random/random.ts';
export { MdetrError } from '../errors.ts';
