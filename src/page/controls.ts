import { byId, chosen, make } from './elements.ts';
import type { ImageKind, Task } from './engine.ts';

/** Labels of each task. */
const LABELS: Readonly<Record<Task, string>> = { detect: 'Caption', refer: 'Expression', ask: 'Question' };

/** Example captions, expressions and questions for each kind of image. */
const TEXTS: Readonly<Record<ImageKind, Readonly<Record<Task, readonly string[]>>>> = {
  scene: {
    detect: ['a green ball and a brown cylinder', 'two purple objects', 'the large gray sphere next to a cylinder'],
    refer: ['the large sphere', 'the cylinder on the left', 'the purple object on the right'],
    ask: ['How many cylinders are there?', 'Is there a red ball?', 'What color is the large sphere?'],
  },
  photograph: {
    detect: ['a cup of coffee and a dog', 'a person and a bottle', 'a car, a bus and a bicycle'],
    refer: ['the cup', 'the person', 'the dog'],
    // Only the model for scenes answers questions.
    ask: [],
  },
};

/** Values of the form. */
export interface Settings {
  readonly task: Task;
  readonly text: string;
  readonly masks: boolean;
  readonly threshold: number;
  readonly place: 'here' | 'server';
}

/** The form: task, text, masks, minimum score, and where to run. */
export class Controls {
  private readonly text = byId<HTMLInputElement>('text');
  private readonly masks = byId<HTMLInputElement>('masks');
  private readonly threshold = byId<HTMLInputElement>('threshold');

  constructor(listeners: {
    readonly onRun: () => void;
    readonly onPlace: () => void;
    readonly onMasks: () => void;
    readonly onThreshold: () => void;
  }) {
    byId('form').addEventListener('submit', (event) => {
      event.preventDefault();
      listeners.onRun();
    });
    for (const input of document.querySelectorAll('input[name="task"]'))
      input.addEventListener('change', () => this.showTask());
    for (const input of document.querySelectorAll('input[name="place"]'))
      input.addEventListener('change', listeners.onPlace);
    this.masks.addEventListener('change', listeners.onMasks);
    this.threshold.addEventListener('input', () => {
      byId('threshold-value').textContent = Number(this.threshold.value).toFixed(2);
      listeners.onThreshold();
    });
    this.onSuggestion = listeners.onRun;
    this.showTask();
  }

  get settings(): Settings {
    return {
      task: chosen('task') as Task,
      text: this.text.value.trim(),
      masks: this.masks.checked,
      threshold: Number(this.threshold.value),
      place: chosen('place') === 'server' ? 'server' : 'here',
    };
  }

  /** Offers to run on the server. */
  allowServer(): void {
    const input = document.querySelector<HTMLInputElement>('input[name="place"][value="server"]');
    if (input !== null) input.disabled = false;
  }

  /** Offers captions for a kind of image. A typed caption stays. */
  setKind(kind: ImageKind): void {
    if (kind === this.kind) return;
    const isOffered = TEXTS[this.kind][chosen('task') as Task].includes(this.text.value);
    const text = this.text.value;
    this.kind = kind;
    this.showTask();
    if (!isOffered) this.text.value = text;
  }

  setMasksPossible(isPossible: boolean): void {
    this.masks.disabled = !isPossible;
  }

  setBusy(isBusy: boolean): void {
    byId('form').setAttribute('aria-busy', String(isBusy));
  }

  private readonly onSuggestion: () => void;
  private kind: ImageKind = 'scene';

  private showTask(): void {
    const task = chosen('task') as Task;
    const texts = TEXTS[this.kind][task];
    byId('text-label').textContent = LABELS[task];
    this.text.value = texts[0] ?? '';
    byId('suggestions').replaceChildren(
      ...texts.map((text) => {
        const button = make('button', { type: 'button', textContent: text });
        button.addEventListener('click', () => {
          this.text.value = text;
          this.onSuggestion();
        });
        return button;
      }),
    );
  }
}
