import { drawDetections } from 'mdetr/web';
import { useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useMdetr } from './use-mdetr.js';

const App = () => {
  const { model, progress, error } = useMdetr();
  const [labels, setLabels] = useState('');
  const canvas = useRef(null);
  const detect = async (event) => {
    event.preventDefault();
    const image = document.querySelector('img');
    const result = await model.detect(image.src, new FormData(event.target).get('caption'));
    drawDetections(canvas.current, image, result);
    setLabels(result.detections.map(({ label }) => label).join(', '));
  };
  return (
    <form onSubmit={(event) => void detect(event)}>
      <input name="caption" aria-label="Caption" defaultValue="a green ball and a brown cylinder" />
      <button disabled={model === undefined}>Detect</button>
      {model === undefined && <progress value={progress} />}
      {error !== undefined && <p role="alert">{error.message}</p>}
      <canvas ref={canvas} />
      <output>{labels}</output>
    </form>
  );
};

createRoot(document.querySelector('#root')).render(<App />);
