import { CodePointMap } from '../../text/spans/code-points.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';

/** Irregular plurals of COCO's categories. */
const IRREGULAR_PLURALS: Readonly<Record<string, string>> = {
  person: 'people',
  mouse: 'mice',
  knife: 'knives',
  sheep: 'sheep',
};

/** Plural of a category name: `hot dog` → `hot dogs`, `wine glass` → `wine glasses`; `skis` and `scissors` stay. */
export const pluralOf = (name: string): string => {
  const irregular = IRREGULAR_PLURALS[name];
  if (irregular !== undefined) return irregular;
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`;
  if (/(ss|bus|x|ch|sh)$/.test(name)) return `${name}es`;
  return name.endsWith('s') ? name : `${name}s`;
};

/** Finds mentions of categories in captions, singular or plural; `hot dog` does not mention `dog`. */
export class CategoryMentions {
  private readonly categoryOf = new Map<string, number>();
  private readonly pattern: RegExp;

  constructor(categories: readonly { readonly id: number; readonly name: string }[]) {
    for (const { id, name } of categories) this.categoryOf.set(name.toLowerCase(), id);
    // A name wins over the plural of another: "glasses" beside "glass".
    for (const { id, name } of categories) {
      const plural = pluralOf(name).toLowerCase();
      if (!this.categoryOf.has(plural)) this.categoryOf.set(plural, id);
    }
    const forms = [...this.categoryOf.keys()].sort((a, b) => b.length - a.length).map(escaped);
    // No letter or digit of any script may precede or follow.
    this.pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${forms.join('|')})(?![\\p{L}\\p{N}])`, 'giu');
  }

  /** Spans of the mentioned categories in code points, by category id. */
  in(caption: string): ReadonlyMap<number, readonly CodePointSpan[]> {
    const points = new CodePointMap(caption);
    const found = new Map<number, CodePointSpan[]>();
    for (const match of caption.matchAll(this.pattern)) {
      const category = this.categoryOf.get(match[0].toLowerCase());
      if (category === undefined) continue;
      const span: CodePointSpan = [points.toCodePoint(match.index), points.toCodePoint(match.index + match[0].length)];
      const own = found.get(category);
      if (own === undefined) found.set(category, [span]);
      else own.push(span);
    }
    return found;
  }
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
