import type { Phrase } from '../web/index.ts';
import { byId, make } from './elements.ts';
import type { PageImage, Result, Task } from './engine.ts';
import { phraseKey, shownDetections, type Selection, type ShownDetection } from './stage.ts';

/** A caption that was run on an image, with its result. */
export interface Entry {
  readonly task: Task;
  readonly text: string;
  readonly image: PageImage;
  readonly result: Result;
  readonly durationMs: number;
}

/** Detections of an entry at a minimum score; for a referring expression only the best one. */
export const detectionsOf = ({ task, text, result }: Entry, threshold: number): ShownDetection[] => {
  if (task !== 'refer' || !('best' in result)) return shownDetections(result.detections, text, threshold);
  return result.best === null ? [] : shownDetections([result.best], text, 0);
};

/** The captions of the current image with their phrases in the colors of their boxes, newest first. */
export class ResultList {
  private readonly list = byId<HTMLOListElement>('results');

  /**
   * @param onShow called with the entry whose result shall be drawn
   * @param onPhrase called with a phrase that is clicked
   * @param onHover called with a phrase that is pointed at or focused, and without one
   */
  constructor(
    private readonly onShow: (entry: Entry) => void,
    private readonly onPhrase: (entry: Entry, phrase: string) => void,
    private readonly onHover: (entry: Entry, phrase: string | undefined) => void,
  ) {}

  show(entries: readonly Entry[], current: Entry | undefined, threshold: number): void {
    this.list.replaceChildren(...entries.map((entry) => this.item(entry, entry === current, threshold)));
  }

  /** Shows which phrases are selected: the one that was clicked, or those of a box that was. */
  select(selection: Selection, shown: readonly ShownDetection[]): void {
    const chosen =
      selection === undefined
        ? undefined
        : 'phrase' in selection
          ? selection.phrase
          : phraseKey(shown.find(({ query }) => query === selection.query) ?? { phrase: undefined });
    for (const button of this.list.querySelectorAll('.is-current .phrase'))
      button.setAttribute('aria-pressed', String(button.getAttribute('data-phrase') === chosen));
  }

  private item(entry: Entry, isCurrent: boolean, threshold: number): HTMLLIElement {
    const { task, result, durationMs } = entry;
    const shown = detectionsOf(entry, threshold);
    const item = make('li', { className: isCurrent ? 'is-current' : '' });
    if (isCurrent) item.setAttribute('aria-current', 'true');
    item.append(make('p', { className: 'caption' }, this.caption(entry, shown)));
    if (task === 'ask' && 'answer' in result)
      item.append(make('p', { className: 'answer', textContent: `Answer: ${result.answer}` }));
    const count = shown.length === 1 ? '1 box' : `${shown.length} boxes`;
    const best = result.bestBelowThreshold;
    const hint = shown.length === 0 && best !== undefined ? `; the best one has score ${best.score.toFixed(2)}` : '';
    const isPhoto = /(^|\/)photos\/?$/.test(result.model);
    const by = isPhoto ? ', model for photographs' : '';
    const note = make('p', { className: 'note', textContent: `${count}${hint}, ${Math.round(durationMs)} ms${by}` });
    item.append(make('div', { className: 'foot' }, isCurrent ? [note] : [note, this.showButton(entry)]));
    for (const warning of result.warnings) item.append(make('p', { className: 'note', textContent: warning }));
    return item;
  }

  private showButton(entry: Entry): HTMLButtonElement {
    const button = make('button', { type: 'button', className: 'show', textContent: 'Show' });
    button.setAttribute('aria-label', `Show the result of: ${entry.text}`);
    button.addEventListener('click', () => this.onShow(entry));
    return button;
  }

  /** The caption, its phrases as buttons. Of phrases that overlap the first one is a button. */
  private caption(entry: Entry, shown: readonly ShownDetection[]): (Node | string)[] {
    const phrases = new Map<string, Phrase>();
    for (const { phrase } of shown) if (phrase !== undefined) phrases.set(phraseKey({ phrase }), phrase);
    const parts: (Node | string)[] = [];
    let at = 0;
    for (const [key, phrase] of [...phrases].sort(([, a], [, b]) => a.start - b.start || b.end - a.end)) {
      if (phrase.start < at) continue;
      if (phrase.start > at) parts.push(entry.text.slice(at, phrase.start));
      parts.push(this.phrase(entry, key, phrase));
      at = phrase.end;
    }
    if (at < entry.text.length) parts.push(entry.text.slice(at));
    return parts;
  }

  private phrase(entry: Entry, key: string, phrase: Phrase): HTMLButtonElement {
    const button = make('button', {
      type: 'button',
      className: 'phrase',
      textContent: entry.text.slice(phrase.start, phrase.end),
    });
    button.style.backgroundColor = phrase.color.css;
    button.style.color = phrase.color.ink;
    button.setAttribute('aria-pressed', 'false');
    button.setAttribute('data-phrase', key);
    button.addEventListener('click', () => this.onPhrase(entry, key));
    for (const name of ['pointerenter', 'focus']) button.addEventListener(name, () => this.onHover(entry, key));
    for (const name of ['pointerleave', 'blur']) button.addEventListener(name, () => this.onHover(entry, undefined));
    return button;
  }
}
