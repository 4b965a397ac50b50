import { drawDetections, MDETR } from 'mdetr/web';

const model = await MDETR.fromPretrained();
const image = document.querySelector('img');
const result = await model.detect(image.src, 'a green ball and a brown cylinder', { masks: true });
drawDetections(document.querySelector('canvas'), image, result);
document.querySelector('output').textContent = result.detections.map(({ label }) => label).join(', ');
