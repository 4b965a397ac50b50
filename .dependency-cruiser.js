/**
 * Directions of the architecture (docs/architecture.md): a folder of `src/` may import itself, `errors.ts`, and the
 * folders in its row. Type imports count.
 */
const mayImport = {
  threads: [],
  files: [],
  'engine/graph': [],
  'engine/ops': ['engine/graph'],
  'engine/onnx': ['engine/graph', 'engine/ops'],
  'engine/runtime': ['engine/graph', 'engine/ops', 'engine/onnx', 'threads'],
  nn: ['engine/graph', 'engine/ops'],
  models: ['engine/graph', 'engine/ops', 'nn'],
  geometry: [],
  matching: ['geometry'],
  losses: ['engine/graph', 'engine/ops', 'nn', 'models', 'matching'],
  text: [],
  data: ['geometry', 'text', 'files'],
  scenes: ['geometry', 'text', 'data', 'threads', 'files'],
  datasets: ['geometry', 'text', 'data', 'files', 'scenes'],
  checkpoints: ['files'],
  pull: ['files'],
  'model-folder': ['engine', 'nn', 'models', 'text', 'data', 'geometry', 'checkpoints', 'pull', 'postprocess', 'files'],
  postprocess: ['geometry', 'text', 'data'],
  metrics: ['geometry', 'text', 'data'],
  drawing: ['geometry', 'text', 'data', 'postprocess'],
  inference: ['engine', 'nn', 'models', 'text', 'data', 'geometry', 'postprocess', 'model-folder', 'drawing', 'files'],
  benchmarks: [
    'engine/runtime',
    'models',
    'text',
    'data',
    'geometry',
    'scenes',
    'datasets',
    'metrics',
    'postprocess',
    'drawing',
    'inference',
    'model-folder',
    'files',
  ],
  train: [
    'engine',
    'nn',
    'models',
    'matching',
    'losses',
    'text',
    'geometry',
    'data',
    'scenes',
    'datasets',
    'checkpoints',
    'metrics',
    'postprocess',
    'model-folder',
    'inference',
    'benchmarks',
    'threads',
    'files',
  ],
};

const escape = (path) => path.replaceAll('/', '\\/');
const directions = Object.entries(mayImport).map(([folder, allowed]) => ({
  name: `from-${folder.replaceAll('/', '-')}`,
  comment: `src/${folder} imports only: ${allowed.join(', ') || 'nothing above errors.ts'} (docs/architecture.md)`,
  severity: 'error',
  from: { path: `^src/${escape(folder)}/`, pathNot: '\\.test\\.ts$' },
  to: {
    path: '^src/',
    pathNot: [`^src/errors\\.ts$`, ...[folder, ...allowed].map((other) => `^src/${escape(other)}/`)],
  },
}));

/** Folders that the browser shares: free of Node and of native packages. */
export default {
  forbidden: [
    ...directions,
    { name: 'no-cycles', comment: 'Two files import each other.', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'a-folder-has-a-row',
      comment: 'A folder of src/ has no row in mayImport.',
      severity: 'error',
      from: { path: `^src/(?!(${Object.keys(mayImport).map(escape).join('|')}|cli)/)[^/]+/` },
      to: {},
    },
    {
      name: 'only-the-runtime-knows-onnxruntime',
      comment: 'Only src/engine/runtime/node and src/engine/runtime/web import onnxruntime-*.',
      severity: 'error',
      from: { path: '^(src|test|scripts|examples)/', pathNot: '^src/engine/runtime/(node|web)/' },
      to: { path: 'onnxruntime-' },
    },
    {
      name: 'no-source-imports-tests',
      severity: 'error',
      comment: 'Source files do not depend on tests, benchmarks or scripts.',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(test|bench|scripts|examples)/|\\.test\\.ts$' },
    },
    {
      name: 'resolvable',
      comment: 'The import cannot be resolved. The package itself resolves to dist/ once it is built.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^mdetr(/|$)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.d.ts'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
