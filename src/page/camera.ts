import { kindOfImage } from '../inference/image-domain.ts';
import { decodeImage } from '../web/index.ts';
import type { ImageKind, PageImage } from './engine.ts';

/** The camera, one frame after the other. */
export class Camera {
  /** Kind of the first frame, and of all others. */
  private kind: ImageKind | undefined;

  private constructor(
    private readonly stream: MediaStream,
    private readonly video: HTMLVideoElement,
  ) {}

  /** Asks for the camera. @throws {Error} if there is none, or it is not allowed */
  static async start(): Promise<Camera> {
    const devices = (navigator as Partial<Navigator>).mediaDevices;
    if (devices === undefined) throw new Error('the camera needs a page on HTTPS or on this machine');
    let stream: MediaStream;
    try {
      stream = await devices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 640 } } });
    } catch (error) {
      throw new Error(`the camera cannot be used (${error instanceof Error ? error.message : String(error)})`, {
        cause: error,
      });
    }
    const video = document.createElement('video');
    video.srcObject = stream;
    video.muted = true;
    video.playsInline = true;
    await video.play();
    return new Camera(stream, video);
  }

  /** The image that the camera shows now. */
  async frame(): Promise<PageImage> {
    const bitmap = await createImageBitmap(this.video);
    const kind = (this.kind ??= kindOfImage(await decodeImage(bitmap)));
    // The model's copy is sent away, the other one is drawn.
    return { name: 'camera', kind, source: await createImageBitmap(bitmap), bitmap };
  }

  stop(): void {
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }
}
