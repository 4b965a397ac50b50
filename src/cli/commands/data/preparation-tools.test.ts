import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { preparationTools } from './preparation-tools.ts';

const pickleOf = (text: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-tools-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a.p');
  writeFileSync(path, text, 'latin1');
  return path;
};

describe('preparationTools', () => {
  it('reads pickles of Python 2 as plain data', async () => {
    // [{'a': u'\u00e9\U0001f3a9', 7: [None, True, 1.5, 2**70]}] as Python 2.7 wrote it.
    const path = pickleOf(
      "(lp1\n(dp2\nS'a'\np3\nV\u00e9\\U0001f3a9\np4\nsI7\n(lp5\nNaI01\naF1.5\naL1180591620717411303424L\nasa.",
    );
    expect(await preparationTools.readPickle(path)).toEqual([
      { a: 'é🎩', 7: [null, true, 1.5, 1180591620717411303424] },
    ]);
  });

  it('keeps shared values shared, and does not touch prototypes', async () => {
    const [first, second] = (await preparationTools.readPickle(
      pickleOf("(lp1\n(dp2\nS'__proto__'\np3\nI1\nsag2\na."),
    )) as object[];
    expect(first).toBe(second);
    expect(Object.entries(first!)).toEqual([['__proto__', 1]]);
  });

  it('executes nothing, and names a missing file', async () => {
    await expect(preparationTools.readPickle(pickleOf("cos\nsystem\n(S'true'\ntR."))).rejects.toThrow(
      /a\.p: .*os\.system/,
    );
    await expect(preparationTools.readPickle('no/such.p')).rejects.toThrow(
      'no/such.p: cannot be read (there is no such file or folder)',
    );
  });

  it('finds root phrases for referring expressions', async () => {
    const findRoot = await preparationTools.loadRootFinder();
    expect(findRoot('the lady with the blue shirt')).toMatchObject({
      rootSpans: [
        [0, 3],
        [4, 8],
      ],
      negativeSpans: [
        [0, 3],
        [4, 8],
        [9, 13],
      ],
    });
    expect(findRoot('🎩 lady')).toMatchObject({ rootSpans: [[0, 6]], negativeSpans: [[0, 6]] });
  });
});
