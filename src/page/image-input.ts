import { kindOfImage } from '../inference/image-domain.ts';
import { decodeImage } from '../web/index.ts';
import { byId, make } from './elements.ts';
import type { PageImage } from './engine.ts';

/** Example images with captions. */
export interface Example {
  readonly file: string;
  readonly description: string;
}

/** Images that come with the page. */
export const EXAMPLES: readonly Example[] = [
  { file: 'images/scene.png', description: 'Example: a scene of solids' },
  { file: 'images/scene1.png', description: 'Example: another scene of solids' },
  { file: 'images/scene3.png', description: 'Example: a third scene of solids' },
  { file: 'images/coffee.jpg', description: 'Example: a photograph of a cup of coffee' },
];

/** Opens an image file. @throws {Error} if the browser cannot decode it */
const openImage = async (source: Blob, name: string): Promise<PageImage> => {
  try {
    return { name, source, bitmap: await createImageBitmap(source), kind: kindOfImage(await decodeImage(source)) };
  } catch (error) {
    throw new Error(`${name}: this browser cannot show it as an image`, { cause: error });
  }
};

/** Calls back with images that are chosen, dropped, pasted, or taken from the examples. */
export const listenForImages = (onImage: (image: Promise<PageImage>) => void): void => {
  const file = byId<HTMLInputElement>('file');
  byId('choose').addEventListener('click', () => file.click());
  file.addEventListener('change', () => {
    const [chosen] = file.files ?? [];
    if (chosen !== undefined) onImage(openImage(chosen, chosen.name));
    // The same file may be chosen again.
    file.value = '';
  });
  listenForDrops(onImage);
  document.addEventListener('paste', ({ clipboardData }) => {
    const image = imageOf(clipboardData);
    if (image !== undefined) onImage(openImage(image, 'pasted image'));
  });
  byId('examples').append(
    ...EXAMPLES.map(({ file: path, description }) => {
      const thumbnail = make('img', { src: path, alt: description });
      const button = make('button', { type: 'button' }, [thumbnail]);
      button.addEventListener('click', () => onImage(openExample(path)));
      return button;
    }),
  );
};

/** Opens an image that comes with the page. */
export const openExample = async (path: string): Promise<PageImage> => {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: cannot be fetched (status ${response.status})`);
  return openImage(await response.blob(), path.slice(path.lastIndexOf('/') + 1));
};

const imageOf = (data: DataTransfer | null): File | undefined =>
  Array.from(data?.files ?? []).find(({ type }) => type.startsWith('image/'));

const listenForDrops = (onImage: (image: Promise<PageImage>) => void): void => {
  const frame = byId('frame');
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    frame.classList.add('is-target');
  });
  document.addEventListener('dragleave', () => frame.classList.remove('is-target'));
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    frame.classList.remove('is-target');
    const image = imageOf(event.dataTransfer);
    onImage(image === undefined ? Promise.reject(new Error('no image was dropped')) : openImage(image, image.name));
  });
};
