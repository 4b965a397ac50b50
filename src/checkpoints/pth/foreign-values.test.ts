import { afterAll, describe, expect, it } from 'vitest';
import {
  floats,
  opcodes,
  temporaryFolder,
  tensor,
  text,
  tuple,
  writeTorchZip,
} from '../../../test/support/weight-files.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { openCheckpoint } from '../open-checkpoint.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const FOUR = floats(1, 2, 3, 4);

/** Opens a checkpoint `{model: {w}, args: {x: …}, other: …}`. */
const openWith = async (...value: (string | Uint8Array)[]): Promise<Checkpoint> => {
  const pickle = opcodes(
    '\x80\x02}(',
    text('model'),
    '}',
    text('w'),
    tensor(),
    's',
    text('args'),
    '}',
    text('x'),
    ...value,
    's',
    text('other'),
    ...value,
    'u.',
  );
  return openCheckpoint(await writeTorchZip(folder.file('foreign.pth'), pickle, { 0: FOUR }));
};

const latin1 = (contents: string): Uint8Array =>
  opcodes('c_codecs\nencode\n', tuple(text(contents), text('latin1')), 'R');

const scalar = (code: string, contents: string, order = '<'): Uint8Array =>
  opcodes(
    'cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n',
    tuple(text(code), 'I0\n', 'I1\n'),
    'R',
    tuple('K\x03', text(order), 'NNN'),
    'b',
    latin1(contents),
    'tR',
  );

describe('values of other libraries beside the weights', () => {
  const values: Readonly<Record<string, readonly [Uint8Array, unknown]>> = {
    'a numpy float64': [scalar('f8', '\0\0\0\0\0\0\xf8\x3f'), 1.5],
    'a numpy int64': [scalar('i8', '\x07\0\0\0\0\0\0\0'), 7],
    'a big-endian numpy int32': [scalar('i4', '\0\0\0\x05', '>'), 5],
    'a numpy scalar of the wrong length': [scalar('i4', '\0\0'), 'numpy.generic'],
    'a numpy string': [scalar('U3', 'abc'), 'numpy.generic'],
    'a defaultdict': [opcodes('ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R', text('k'), ']s'), { k: [] }],
    'a datetime': [
      opcodes('cdatetime\ndatetime\n', latin1('\x07\xe8\x01\x01\0\0\0\0\0\0'), '\x85R'),
      'datetime.datetime',
    ],
    'a class': [opcodes('cmodels.mdetr\nMDETR\n'), 'models.mdetr.MDETR'],
    'an object with state': [
      opcodes(
        'ccopy_reg\n_reconstructor\n',
        tuple('cmy\nThing\n', 'c__builtin__\nobject\n', 'N'),
        'R}',
        text('a'),
        'K\x01sb',
      ),
      'copy_reg._reconstructor',
    ],
    'an object with keyword arguments': [opcodes('cmy\nThing\n)}', text('a'), 'K\x01s\x92'), 'my.Thing'],
    'a subclass of list with items': [opcodes('cmy\nList\n)R(K\x01K\x02e'), 'my.List'],
    'a quantized tensor': [
      opcodes(
        'ctorch._utils\n_rebuild_qtensor\n',
        tuple(opcodes(tuple(text('storage'), 'ctorch\nQInt8Storage\n', text('9'), text('cpu'), 'K\x04'), 'Q')),
        'R',
      ),
      'torch._utils._rebuild_qtensor',
    ],
  };
  it.each(Object.keys(values))('%s', async (name) => {
    const [value, expected] = values[name]!;
    const checkpoint = await openWith(value);
    expect([...checkpoint.tensors.keys()]).toEqual(['w']);
    expect(checkpoint.args).toEqual({ x: expected });
    expect(checkpoint.contents.others).toEqual(['other']);
    await checkpoint.close();
  });

  it.each(['cos\nsystem\n', 'csubprocess\nPopen\n', 'cbuiltins\nexec\n', 'cimportlib\nimport_module\n'])(
    'refuses %j, which runs code',
    async (name) => {
      await expect(openWith(opcodes(name, text('true'), '\x85R'))).rejects.toThrow(/which is not an allowed name/);
    },
  );

  it('names the class of a model that was saved whole', async () => {
    const path = await writeTorchZip(folder.file('whole.pth'), opcodes('\x80\x02cmodels.mdetr\nMDETR\n)R}b.'), {});
    await expect(openCheckpoint(path)).rejects.toThrow(
      'does not hold a dictionary of weights but an object (models.mdetr.MDETR); save model.state_dict() instead of the model',
    );
  });

  it('finds weights behind several dictionaries', async () => {
    const inner = opcodes('}', text('model'), '}', text('w'), tensor(), 'ss');
    const pickle = opcodes('\x80\x02}', text('checkpoint'), '}', text('state_dict'), inner, 'ss.');
    const checkpoint = await openCheckpoint(await writeTorchZip(folder.file('nested.pth'), pickle, { 0: FOUR }));
    expect([...checkpoint.tensors.keys()]).toEqual(['w']);
    await checkpoint.close();
  });
});

describe('the cost of a small file', () => {
  it('is bounded for calls that copy a remembered string', async () => {
    const long = 'x'.repeat(60_000);
    const copies = Array.from({ length: 400 }, () => 'c_codecs\nencode\nh\x00h\x01\x86R').join('');
    const pickle = opcodes('\x80\x02}', text('w'), '(', text(long), 'q\x00', text('latin1'), 'q\x01', copies, 'ls.');
    const path = await writeTorchZip(folder.file('copies.pth'), pickle, {});
    await expect(openCheckpoint(path)).rejects.toThrow(/strings copied by its pickle take more than 1 MB/);
  });

  it('is bounded for all tensors together', async () => {
    const items = Array.from({ length: 40 }, (_, i) => [
      text(`w${i}`),
      tensor({ shape: [2 ** 20], strides: [0] }),
    ]).flat();
    const path = await writeTorchZip(folder.file('repeated.pth'), opcodes('\x80\x02}(', ...items, 'u.'), { 0: FOUR });
    await expect(openCheckpoint(path)).rejects.toThrow(/its tensors take more than 64 MB/);
  });
});
