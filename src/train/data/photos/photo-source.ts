import { join } from 'node:path';
import type { PhotoRow } from '../../../datasets/photos/photo-row.ts';
import { readPhotoLexicon, readTrainingPhotos } from '../../../datasets/photos/read-photos.ts';
import { MdetrError } from '../../../errors.ts';
import { boxXyxyToCxcywh } from '../../../geometry/boxes.ts';
import { CumulativeWeights } from '../../../random/cumulative-weights.ts';
import { Random } from '../../../random/random.ts';
import type { Tokenizer } from '../../../text/index.ts';
import type { Lexicon } from '../../../text/lexicon/lexicon.ts';
import type { SceneTextConfig } from '../../config/run-settings.ts';
import type { PhotoDataset } from '../../config/slices/datasets.ts';
import { FeatureFile } from '../../features/feature-file.ts';
import { tokenizeSample } from '../caption-sample.ts';
import { withContext } from '../error-context.ts';
import type { CaptionSample, ImageSample, SampleKey, SampleSource } from '../sample-source.ts';
import { colorOf } from '../../../datasets/photos/object-colors.ts';
import {
  makePhotoText,
  PHOTO_TEXT_SHARES,
  type DescribedImage,
  type PhotoText,
  type PhotoTextKind,
} from '../../../datasets/photos/photo-texts.ts';

const KINDS = Object.keys(PHOTO_TEXT_SHARES) as PhotoTextKind[];
/** Fraction of the images that are drawn by rarity; the others all alike. */
const BY_RARITY = 0.8;

/** Photographs whose features are computed once and whose texts are made anew for every sample; drawn by rarity. */
export class PhotoSource implements SampleSource {
  readonly length: number;
  private readonly rows: ReturnType<typeof readTrainingPhotos>;
  private readonly weights: CumulativeWeights;
  private readonly lexicon: Lexicon;
  private readonly features: FeatureFile;

  constructor(
    private readonly dataset: PhotoDataset,
    private readonly config: Pick<SceneTextConfig, 'texts_per_image'>,
  ) {
    const { photos: folder, tier } = dataset;
    this.features = FeatureFile.open(join(folder, 'features'));
    this.rows = readTrainingPhotos(folder, tier).filter(({ index }) => this.features.has(index));
    if (this.rows.length === 0) throw new MdetrError(`${folder}: no images of tier "${tier}" have features`);
    this.length = this.rows.length;
    this.weights = new CumulativeWeights(this.rows.map(({ row }) => row.rarity ?? 1));
    this.lexicon = readPhotoLexicon(folder);
  }

  sizeOf(): { readonly width: number; readonly height: number } {
    return { width: 1, height: 1 };
  }

  /** The row only names the sample: which image it is follows from seed, epoch and row. */
  get(row: number, key: SampleKey, tokenizer: Tokenizer): Promise<ImageSample> {
    const random = Random.of(key.seed, key.epoch, row, 'photographs');
    const { row: photo, index } =
      this.rows[random.chance(BY_RARITY) ? this.weights.draw(random) : random.below(this.length)]!;
    const features = this.features.read(index);
    const image: DescribedImage = {
      row: photo,
      colors: photo.objects.map(({ box, noun }) => colorOf(features['colors']!, box, noun)),
    };
    const captions = Array.from({ length: this.config.texts_per_image }, () =>
      withContext(photo.id, () => sampleOf(photo, this.textOf(image, random), tokenizer)),
    );
    return Promise.resolve({ id: `${this.dataset.photos}: ${photo.id}`, image: NO_IMAGE, features, captions });
  }

  close(): void {
    this.features.close();
  }

  private textOf(image: DescribedImage, random: Random): PhotoText {
    for (let tries = 0; tries < 30; tries++) {
      const kind = random.pickWeighted(
        KINDS,
        KINDS.map((name) => PHOTO_TEXT_SHARES[name]),
      );
      const text = makePhotoText(kind, image, this.lexicon, random);
      if (text !== undefined) return text;
    }
    throw new MdetrError('there is nothing to say about the image: it has no certain objects');
  }
}

/** Stands for the pixels, which training does not need. */
const NO_IMAGE = { width: 1, height: 1, channels: 3, data: new Uint8Array(3) } as const;

const sampleOf = ({ objects }: PhotoRow, { text, phrases }: PhotoText, tokenizer: Tokenizer): CaptionSample => {
  const mentioned = [...new Set(phrases.flatMap((phrase) => phrase.objects))].toSorted((a, b) => a - b);
  return tokenizeSample(
    {
      caption: text,
      boxesCxcywh: Float32Array.from(boxXyxyToCxcywh(mentioned.flatMap((index) => objects[index]!.box))),
      tokensPositive: mentioned.map((index) =>
        phrases.filter((phrase) => phrase.objects.includes(index)).map(({ start, end }) => [start, end] as const),
      ),
    },
    tokenizer,
  );
};
