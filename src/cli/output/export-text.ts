import type { ProgramSignature } from '../../engine/graph/index.ts';
import type { ExportManifest, Precision } from '../../model-folder/export-manifest.ts';
import { formatBytes, formatTable } from './table.ts';

/** Description of an exported folder: precisions with their sizes, and the inputs and outputs of each program. */
export const exportText = (path: string, manifest: ExportManifest): string => {
  const { layout, mdetr, opset, precisions, files, programs } = manifest;
  const bytesOf = (names: readonly (string | undefined)[]): number =>
    names.reduce((sum, name) => sum + (name === undefined ? 0 : (files[name]?.bytes ?? 0)), 0);
  const facts = [
    ['format', `exported by mdetr ${mdetr}, ${layout} layout, ONNX operator set ${opset}`],
    ...(Object.keys(precisions) as Precision[]).map((precision) => [
      precision,
      formatBytes(bytesOf(Object.values(precisions[precision] ?? {}).flatMap(({ file, data }) => [file, data]))),
    ]),
    ...(precisions.int8 === undefined ? [] : [['int8 means', int8Fact(manifest)]]),
    ['all files', formatBytes(bytesOf(Object.keys(files)))],
  ];
  const rows = Object.entries(programs).flatMap(([program, signature]) => valueRows(program, signature));
  return [
    `${path}\n`,
    formatTable([{ title: '' }, { title: '' }], facts, '  '),
    '\n',
    formatTable(
      [{ title: 'program' }, { title: '' }, { title: 'value' }, { title: 'type' }, { title: 'shape' }],
      rows,
      '  ',
    ),
  ].join('');
};

const int8Fact = ({ quantization }: ExportManifest): string =>
  quantization === undefined
    ? 'weights only: exported without quantization.json'
    : `integer arithmetic in the backbone: ${quantization}`;

const valueRows = (program: string, { inputs, outputs }: ProgramSignature): string[][] =>
  [...inputs.map((value) => ['in', value] as const), ...outputs.map((value) => ['out', value] as const)].map(
    ([direction, { name, dtype, shape }], index) => [
      index === 0 ? program : '',
      direction,
      name,
      dtype,
      `[${shape.join(', ')}]`,
    ],
  );
