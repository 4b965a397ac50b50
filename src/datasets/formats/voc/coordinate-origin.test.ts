import { describe, expect, it } from 'vitest';
import type { BoxXywh } from '../../../geometry/boxes.ts';
import { parseXml } from '../../source/xml-tree.ts';
import { originOfBoxes, type VocBoxes } from './coordinate-origin.ts';
import { OWN_VOC_SOURCE } from './own-source.ts';

const file = (boxes: readonly BoxXywh[], source = '<source><database>Unknown</database></source>'): VocBoxes => ({
  tree: parseXml(`<annotation>${source}</annotation>`, 'a.xml'),
  boxes,
});
const inside: BoxXywh = [20, 30, 10, 10];
const database = (name: string): string => `<source><database>${name}</database></source>`;

describe('where the coordinates of Pascal VOC files begin', () => {
  it.each([
    ['a 0 in any file', [file([[1, 5, 9, 9]]), file([[0, 5, 9, 9]])], 0, undefined],
    ['a fraction in any file', [file([[1, 5, 9, 9]]), file([[7.5, 5, 9, 9]])], 0, undefined],
    ['a 1 and no 0', [file([inside]), file([[4, 1, 9, 9]])], 1, /one is 1 and none is 0/],
    ['a 0 in files of a tool that counts from 1', [file([[0, 5, 9, 9]], database('roboflow.com'))], 0, undefined],
    [
      "Roboflow's name and no box at the border",
      [file([inside], database('roboflow.com'))],
      1,
      /files of roboflow\.com do/,
    ],
    ['the original files', [file([inside], database('The VOC2007 Database'))], 1, /files of The VOC2007 Database do/],
    [
      "this package's files",
      [file([inside], `<source><annotation>${OWN_VOC_SOURCE}</annotation></source>`)],
      1,
      /say so/,
    ],
    ['nothing that tells', [file([]), file([inside])], 0, /read as from 0 \(--voc-origin 1/],
    ['no boxes', [file([], '')], 0, undefined],
  ] as const)('is decided by %s', (_name, files, origin, note) => {
    const found = originOfBoxes(files);
    expect(found.origin).toBe(origin);
    if (note === undefined) expect(found.note).toBeUndefined();
    else expect(found.note).toMatch(note);
  });

  it('is what the user names', () => {
    expect(originOfBoxes([file([[0, 5, 9, 9]])], 1)).toMatchObject({
      origin: 1,
      note: expect.stringMatching(/as named/) as string,
    });
    expect(originOfBoxes([file([[1, 5, 9, 9]])], 0)).toEqual({ origin: 0, shownBy: 0 });
    expect(originOfBoxes([file([inside])], 0).note).toBeUndefined();
  });

  it('names the file that shows it', () => {
    expect(originOfBoxes([file([inside]), file([[4, 1, 9, 9]])]).shownBy).toBe(1);
  });
});
