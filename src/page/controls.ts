import { byId, chosen, make } from './elements.ts';
import type { Task } from './engine.ts';

/** Labels and example texts of each task. */
const TASKS: Readonly<Record<Task, { readonly label: string; readonly texts: readonly string[] }>> = {
  detect: {
    label: 'Caption',
    texts: ['a green ball and a brown cylinder', 'two purple objects', 'the large gray sphere next to a cylinder'],
  },
  refer: {
    label: 'Expression',
    texts: ['the large sphere', 'the cylinder on the left', 'the purple object on the right'],
  },
  ask: {
    label: 'Question',
    texts: ['How many cylinders are there?', 'Is there a red ball?', 'What color is the large sphere?'],
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

  /** Offers the server as a place to run. */
  allowServer(): void {
    const input = document.querySelector<HTMLInputElement>('input[name="place"][value="server"]');
    if (input !== null) input.disabled = false;
  }

  setMasksPossible(isPossible: boolean): void {
    this.masks.disabled = !isPossible;
  }

  setBusy(isBusy: boolean): void {
    byId('form').setAttribute('aria-busy', String(isBusy));
  }

  private readonly onSuggestion: () => void;

  private showTask(): void {
    const { label, texts } = TASKS[chosen('task') as Task];
    byId('text-label').textContent = label;
    this.text.value = texts[0]!;
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
