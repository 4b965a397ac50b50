import { CodePointMap } from '../../text/spans/code-points.ts';
import type { Span } from '../../data/format/coco-format.ts';

/** Plurals of COCO's categories that no rule gives. */
const IRREGULAR: Readonly<Record<string, string>> = {
  person: 'people',
  mouse: 'mice',
  knife: 'knives',
  sheep: 'sheep',
};

/** `hot dog` → `hot dogs`, `bus` → `buses`, `wine glass` → `wine glasses`; `skis` and `scissors` stay. */
export const pluralOf = (name: string): string => {
  const irregular = IRREGULAR[name];
  if (irregular !== undefined) return irregular;
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`;
  if (/(ss|bus|x|ch|sh)$/.test(name)) return `${name}es`;
  return name.endsWith('s') ? name : `${name}s`;
};

/** Finds where a text names categories, in the singular or plural; `hot dog` is no `dog`. */
export class CategoryMentions {
  private readonly categoryOf = new Map<string, number>();
  private readonly pattern: RegExp;

  constructor(categories: readonly { readonly id: number; readonly name: string }[]) {
    for (const { id, name } of categories)
      for (const form of [name, pluralOf(name)]) this.categoryOf.set(form.toLowerCase(), id);
    const forms = [...this.categoryOf.keys()].sort((a, b) => b.length - a.length).map(escaped);
    // Letters of any script must not go on at either end.
    this.pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${forms.join('|')})(?![\\p{L}\\p{N}])`, 'giu');
  }

  /** Spans, in code points, by category. */
  in(text: string): ReadonlyMap<number, readonly Span[]> {
    const points = new CodePointMap(text);
    const found = new Map<number, Span[]>();
    for (const match of text.matchAll(this.pattern)) {
      const category = this.categoryOf.get(match[0].toLowerCase());
      if (category === undefined) continue;
      const span: Span = [points.toCodePoint(match.index), points.toCodePoint(match.index + match[0].length)];
      const own = found.get(category);
      if (own === undefined) found.set(category, [span]);
      else own.push(span);
    }
    return found;
  }
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
