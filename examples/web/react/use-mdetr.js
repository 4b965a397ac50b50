import { MDETR } from 'mdetr/web';
import { useEffect, useState } from 'react';

/**
 * Loads a model in a Web Worker, which ends with the component.
 *
 * @param {string} [name] URL of a model folder or exported folder; the embedded model by default
 * @returns {{ model?: MDETR, progress: number, error?: Error }} progress of the download, from 0 to 1
 */
export const useMdetr = (name) => {
  const [state, setState] = useState({ progress: 0 });
  useEffect(() => {
    let isMounted = true;
    const update = (change) => isMounted && setState((old) => ({ ...old, ...change }));
    const onProgress = ({ loadedBytes, totalBytes }) => totalBytes && update({ progress: loadedBytes / totalBytes });
    const loading = MDETR.fromPretrained(name, { onProgress });
    loading.then(
      (model) => update({ model, progress: 1 }),
      (error) => update({ error }),
    );
    return () => {
      isMounted = false;
      loading.then((model) => model.dispose()).catch(() => undefined);
    };
  }, [name]);
  return state;
};
