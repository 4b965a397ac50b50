import type { HostTensor } from '../engine/graph/index.ts';
import type { SessionOf } from '../engine/runtime/runtime.ts';
import type { ImageStage, TextStage } from './stages.ts';
import { evidenceByName } from './programs.ts';
import type { WholeProgram } from './whole-program.ts';

/**
 * The two stages of inference on a network that is one program: the image stage only keeps the pixels, and the text stage
 * runs the whole network for every caption.
 */
export const stagesOfWhole = (
  session: SessionOf<WholeProgram>,
): { readonly image: ImageStage; readonly text: TextStage } => ({
  image: {
    run: ({ image, padding }) => {
      const [src, mask] = [image, padding] as [HostTensor, HostTensor];
      return Promise.resolve({
        src,
        feature_padding: mask,
        pyramid0: undefined,
        pyramid1: undefined,
        pyramid2: undefined,
        ...evidenceByName<HostTensor>(undefined),
      });
    },
    dispose: () => session.dispose(),
  },
  text: {
    run: async (feeds) => {
      const { src, feature_padding, image_index, input_ids, attention_mask } = feeds as Record<string, HostTensor>;
      const images = Array.from(image_index!.data, Number);
      const { pred_masks, ...results } = await session.run({
        pixel_values: selectRows(src!, images),
        pixel_mask: int64Of(selectRows(feature_padding!, images), (isPadding) => (isPadding === 0 ? 1n : 0n)),
        input_ids: int64Of(input_ids!, BigInt),
        attention_mask: int64Of(attention_mask!, BigInt),
      });
      return { ...results, pred_masks, hs: undefined, image_memory: undefined };
    },
    dispose: () => Promise.resolve(),
  },
});

/** Rows of the first axis, in the given order; the value itself if they are all of its rows in their order. */
const selectRows = (value: HostTensor, rows: readonly number[]): HostTensor => {
  if (rows.length === value.shape[0] && rows.every((row, index) => row === index)) return value;
  const length = value.data.length / value.shape[0]!;
  const data = value.data.constructor as Float32ArrayConstructor;
  const chosen = new data(length * rows.length);
  rows.forEach((row, index) =>
    chosen.set((value.data as Float32Array).subarray(row * length, (row + 1) * length), index * length),
  );
  return { ...value, shape: [rows.length, ...value.shape.slice(1)], data: chosen } as HostTensor;
};

const int64Of = ({ data, shape }: HostTensor, map: (value: number) => bigint): HostTensor => ({
  dtype: 'int64',
  shape,
  data: BigInt64Array.from(data as Int32Array, map),
});
