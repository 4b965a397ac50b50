// The window: sends an image file and a caption to the main process, and draws the result.
import { drawDetections, type DetectionResult } from 'mdetr/web';

declare const detector: { detect(image: Uint8Array, caption: string): Promise<DetectionResult> };

const form = document.querySelector('form')!;
const output = document.querySelector('output')!;
const canvas = document.querySelector('canvas')!;

const run = async (): Promise<void> => {
  const values = new FormData(form);
  const image = values.get('image') as File;
  output.textContent = 'Running …';
  try {
    const result = await detector.detect(new Uint8Array(await image.arrayBuffer()), String(values.get('caption')));
    drawDetections(canvas, await createImageBitmap(image), result);
    output.textContent = result.detections.map(({ label }) => label).join(', ');
  } catch (error) {
    output.textContent = String(error);
  }
};

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void run();
});
