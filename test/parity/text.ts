import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPositiveMap, encodeBatch, normalizedPositiveMap, type Tokenizer } from '../../src/text/index.ts';
import { Row, TOLERANCES } from './comparison.ts';

interface EncodingRow {
  readonly text: string;
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  readonly offsets: readonly (readonly [number, number])[];
  readonly charToToken: readonly (number | null)[];
}

interface PositiveMapFile {
  readonly batch: { readonly texts: string[]; readonly input_ids: number[][]; readonly attention_mask: number[][] };
  readonly positiveMaps: readonly {
    readonly caption: string;
    readonly tokens_positive: readonly (readonly (readonly [number, number])[])[];
    readonly rows?: readonly Readonly<Record<string, number>>[];
    readonly error?: string;
  }[];
}

/** Encodings, and positive maps with their official fall-backs and errors. */
export const compareEncodings = (folder: string, tokenizer: Tokenizer): Row[] => {
  const encodings = new Row('tokenizer/encodings');
  const { rows } = readJson(join(folder, 'encodings.json')) as { rows: readonly EncodingRow[] };
  const text = encodings.in('text', TOLERANCES.exact);
  for (const row of rows) {
    const found = tokenizer.encode(row.text);
    const characters = row.charToToken.map((_, index) => found.charToToken(index) ?? null);
    text.equal(JSON.stringify(row.text), [...found.ids], row.ids);
    text.equal(JSON.stringify(row.text), found.tokens, row.tokens);
    text.equal(JSON.stringify(row.text), found.offsets, row.offsets);
    text.equal(JSON.stringify(row.text), characters, row.charToToken);
  }
  const maps = new Row('tokenizer/positive maps');
  const { batch, positiveMaps } = readJson(join(folder, 'positive_maps.json')) as PositiveMapFile;
  const exact = maps.in('text', TOLERANCES.exact);
  const padded = encodeBatch(tokenizer, batch.texts);
  exact.equal('ids of a batch', [...padded.inputIds], batch.input_ids.flat());
  exact.equal('mask of a batch', [...padded.attentionMask], batch.attention_mask.flat());
  for (const { caption, tokens_positive: spans, rows: expected } of positiveMaps) {
    const name = `${caption} ${JSON.stringify(spans)}`;
    exact.equal(name, rowsOf(tokenizer, caption, spans), expected ?? 'error');
  }
  return [encodings, maps];
};

/** Rows as {token: value}, or `'error'` where the spans are refused. */
const rowsOf = (
  tokenizer: Tokenizer,
  caption: string,
  spans: readonly (readonly (readonly [number, number])[])[],
): unknown => {
  try {
    const rows = createPositiveMap(tokenizer.encode(caption), spans);
    const values = normalizedPositiveMap(rows);
    return rows.map(({ tokens }, row) =>
      Object.fromEntries(tokens.map((token) => [String(token), values[row * (values.length / rows.length) + token]])),
    );
  } catch {
    return 'error';
  }
};

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
