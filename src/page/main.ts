/** The page: an image, captions, and the detections. */
import { messageOf } from '../errors.ts';
import type { ProgressEvent } from '../web/index.ts';
import { Camera } from './camera.ts';
import { Controls } from './controls.ts';
import { byId } from './elements.ts';
import type { Engine, PageImage } from './engine.ts';
import { EXAMPLES, listenForImages, openExample } from './image-input.ts';
import { LocalEngine } from './local-engine.ts';
import { detectionsOf, ResultList, type Entry } from './result-list.ts';
import { ServerEngine } from './server-engine.ts';
import { phraseKey, Stage, type Selection, type ShownDetection } from './stage.ts';

/** Minimum score of every run: the slider shows what is above it without a new one. */
const RUN_THRESHOLD = 0.05;
/** Maximum number of results that are listed. */
const MAX_ENTRIES = 12;

class Page {
  private image: PageImage | undefined;
  private entries: Entry[] = [];
  private current: Entry | undefined;
  private shown: readonly ShownDetection[] = [];
  private selection: Selection;
  private camera: Camera | undefined;
  private local: Promise<LocalEngine> | undefined;
  private server: ServerEngine | undefined;
  /** Runs are queued one after another. */
  private last: Promise<unknown> = Promise.resolve();

  private readonly controls = new Controls({
    onRun: () => void this.run(),
    onPlace: () => void this.useEngine(),
    onMasks: () => void this.toggleMasks(),
    onThreshold: () => this.draw(),
  });
  private readonly stage = new Stage(
    (detection) => this.select({ query: detection.query }),
    (detection) => this.preview(detection && { query: detection.query }),
  );
  private readonly results = new ResultList(
    (entry) => this.show(entry),
    (entry, phrase) => {
      if (entry !== this.current) this.show(entry);
      this.select({ phrase });
    },
    (entry, phrase) => {
      if (entry === this.current) this.preview(phrase === undefined ? undefined : { phrase });
    },
  );

  async start(): Promise<void> {
    listenForImages((image) => void this.open(image));
    byId('camera').addEventListener('click', () => void this.toggleCamera());
    void ServerEngine.find().then((server) => {
      this.server = server;
      if (server !== undefined) this.controls.allowServer();
    });
    await Promise.all([this.useEngine(), this.open(openExample(EXAMPLES[0]!.file))]);
  }

  /** The engine that the form selects. The page's own model is loaded on first use. */
  private async engine(): Promise<Engine> {
    if (this.controls.settings.place === 'server' && this.server !== undefined) return this.server;
    this.local ??= LocalEngine.load((event) => {
      showProgress(event);
      // The model for photographs is loaded later.
      if (event.status === 'ready') void this.useEngine();
    });
    try {
      return await this.local;
    } catch (error) {
      this.local = undefined;
      throw error;
    }
  }

  private async useEngine(): Promise<void> {
    await this.reporting(async () => {
      const engine = await this.engine();
      byId('device').textContent = `Runs on ${engine.device}. ${engine.reason}`.trim();
      byId('progress').hidden = true;
      this.controls.setMasksPossible(engine.hasMasks(this.image?.kind ?? 'scene'));
    });
  }

  private async open(image: Promise<PageImage>): Promise<void> {
    await this.reporting(async () => {
      const opened = await image;
      this.stopCamera();
      this.setImage(opened);
      this.entries = [];
      this.show(undefined);
      await this.run();
    });
  }

  private setImage(image: PageImage): void {
    const isOther = image.kind !== this.image?.kind;
    this.image = image;
    if (!isOther) return;
    this.controls.setKind(image.kind);
    void this.useEngine();
  }

  /** Runs the caption of the form on the image. */
  private async run(): Promise<void> {
    const { image } = this;
    if (this.camera !== undefined) return;
    if (image === undefined) {
      setError('Choose an image first.');
      return;
    }
    const work = this.last.then(() => this.reporting(() => this.runOn(image)));
    this.last = work;
    this.controls.setBusy(true);
    await work;
    if (this.last === work) this.controls.setBusy(false);
  }

  private async runOn(image: PageImage): Promise<void> {
    const { task, text, masks } = this.controls.settings;
    if (text === '') throw new Error('Type a caption first.');
    const engine = await this.engine();
    if (this.camera === undefined) setStatus('Running …');
    const started = performance.now();
    const result = await engine.run(task, image, text, { threshold: RUN_THRESHOLD, masks }).finally(() => {
      if (this.camera === undefined) setStatus('');
    });
    // The user may have opened another image meanwhile.
    if (image !== this.image) return;
    const entry: Entry = { task, text, image, result, durationMs: performance.now() - started };
    const isOther = (other: Entry): boolean => other.task !== task || other.text !== text;
    this.entries = [entry, ...this.entries.filter(isOther)].slice(0, this.camera === undefined ? MAX_ENTRIES : 1);
    this.show(entry);
    if (this.camera === undefined) setStatus(summaryOf(entry, this.shown));
  }

  private show(entry: Entry | undefined): void {
    this.current = entry;
    this.selection = undefined;
    this.draw();
  }

  private draw(): void {
    const { image, current, controls } = this;
    if (image === undefined) return;
    const { threshold, masks } = controls.settings;
    this.shown = current === undefined ? [] : detectionsOf(current, threshold);
    this.stage.show(image, current?.text ?? '', this.shown, masks);
    this.results.show(this.entries, current, threshold);
    this.preview(undefined);
  }

  /** Selects a phrase or a box; a second time the selection ends. */
  private select(selection: Exclude<Selection, undefined>): void {
    const isSame = JSON.stringify(selection) === JSON.stringify(this.selection);
    this.selection = isSame ? undefined : selection;
    this.preview(undefined);
    const names = this.shown.filter((shown) =>
      'phrase' in selection ? phraseKey(shown) === selection.phrase : shown.query === selection.query,
    );
    if (!isSame) setStatus(`Selected: ${names.map(describe).join('; ')}`);
  }

  /** Highlights the phrase or box under the pointer, or else the selected one. */
  private preview(selection: Selection): void {
    const chosen = selection ?? this.selection;
    this.stage.select(chosen);
    this.results.select(chosen, this.shown);
  }

  private async toggleMasks(): Promise<void> {
    const hasMasks = this.current?.result.detections.some(({ mask }) => mask !== undefined) ?? true;
    if (this.controls.settings.masks && !hasMasks) await this.run();
    else this.draw();
  }

  private async toggleCamera(): Promise<void> {
    if (this.camera !== undefined) {
      this.stopCamera();
      return;
    }
    await this.reporting(async () => {
      const camera = await Camera.start();
      this.camera = camera;
      byId('camera').setAttribute('aria-pressed', 'true');
      await this.follow(camera);
    });
  }

  /** Runs the caption of the form on successive camera frames, as fast as the machine allows. */
  private async follow(camera: Camera): Promise<void> {
    try {
      while (this.camera === camera) {
        const started = performance.now();
        const old = this.image;
        const frame = await camera.frame();
        this.setImage(frame);
        await this.runOn(frame);
        if (old?.name === frame.name) old.bitmap.close();
        setStatus(`Camera: ${(1000 / (performance.now() - started)).toFixed(1)} images per second`);
        await new Promise(requestAnimationFrame);
      }
    } finally {
      if (this.camera === camera) this.stopCamera();
    }
  }

  private stopCamera(): void {
    this.camera?.stop();
    this.camera = undefined;
    byId('camera').setAttribute('aria-pressed', 'false');
  }

  /** Runs an action and shows its error, if it fails. */
  private async reporting(action: () => Promise<void>): Promise<void> {
    try {
      setError('');
      await action();
    } catch (error) {
      setError(messageOf(error));
    }
  }
}

const setStatus = (text: string): void => void (byId('status').textContent = text);
const setError = (text: string): void => void (byId('error').textContent = text);

const describe = ({ phrase, detection }: ShownDetection): string =>
  `${phrase?.text ?? 'object'} with score ${detection.score.toFixed(2)}`;

/** Summary of a result for screen readers. */
const summaryOf = ({ task, result }: Entry, shown: readonly ShownDetection[]): string => {
  if (task === 'ask' && 'answer' in result) return `Answer: ${result.answer}`;
  return shown.length === 0 ? 'Nothing found.' : `Found ${shown.length}: ${shown.map(describe).join('; ')}`;
};

const showProgress = ({ status, name, loadedBytes, totalBytes }: ProgressEvent): void => {
  const progress = byId<HTMLProgressElement>('progress');
  progress.hidden = false;
  if (status === 'downloading' && totalBytes !== undefined) {
    progress.max = totalBytes;
    progress.value = loadedBytes ?? 0;
    byId('device').textContent = `Downloading the model: ${Math.round((100 * (loadedBytes ?? 0)) / totalBytes)} %`;
  } else if (status !== 'ready') {
    progress.removeAttribute('value');
    byId('device').textContent = status === 'compiling' ? `Preparing the model (${name}) …` : 'Loading the model …';
  }
};

void new Page().start();
