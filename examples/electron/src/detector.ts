// The model of the main process. ONNX Runtime computes in threads of its own, so that windows stay responsive.
import { MDETR, type DetectionResult } from 'mdetr';

let model: Promise<MDETR> | undefined;

/** Detects what a caption mentions. The model is loaded by the first call. */
export const detect = async (image: Uint8Array, caption: string): Promise<DetectionResult> => {
  model ??= MDETR.fromPretrained();
  return (await model).detect(image, caption);
};

/** Frees the model. */
export const close = async (): Promise<void> => (await model)?.dispose();
