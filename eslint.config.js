import tseslint from 'typescript-eslint';

/**
 * The order of dependence (docs/architecture.md): a folder may import itself and what stands in its row, nothing else.
 */
const mayImport = {
  graph: [],
  ops: ['graph'],
  onnx: ['graph', 'ops'],
  runtime: ['graph', 'ops', 'onnx'],
  nn: ['graph', 'ops'],
  models: ['graph', 'ops', 'nn'],
  matching: [],
  losses: ['graph', 'ops', 'nn', 'models', 'matching'],
  text: [],
  data: ['text'],
  checkpoints: [],
  evaluation: ['text', 'data', 'matching'],
  drawing: ['data', 'evaluation'],
  pull: [],
  pipeline: [
    'graph',
    'ops',
    'onnx',
    'runtime',
    'nn',
    'models',
    'text',
    'data',
    'checkpoints',
    'evaluation',
    'drawing',
    'pull',
  ],
  tasks: ['graph', 'runtime', 'models', 'matching', 'text', 'data', 'evaluation', 'drawing', 'pipeline'],
  train: [
    'graph',
    'ops',
    'onnx',
    'runtime',
    'nn',
    'models',
    'matching',
    'losses',
    'text',
    'data',
    'checkpoints',
    'evaluation',
    'pipeline',
  ],
};
const folders = Object.keys(mayImport);
const binding = {
  group: ['onnxruntime-*'],
  message: 'Only src/runtime/node and src/runtime/web import onnxruntime-*.',
};
const knowsBinding = ['src/runtime/node/**', 'src/runtime/web/**', 'bench/**'];

/** One entry a folder: what its files must not import. Imports between folders always name the folder: `../text/x.ts`. */
const directions = folders.map((folder) => ({
  files: [`src/${folder}/**/*.ts`],
  ignores: knowsBinding,
  rules: {
    'no-restricted-imports': ['error', { patterns: [binding, ...forbidden(folder)] }],
  },
}));

function forbidden(folder) {
  return [...folders, 'cli', 'server', 'web']
    .filter((other) => other !== folder && !mayImport[folder].includes(other))
    .map((other) => ({
      // From the folder's own depth or deeper, never a folder of the same name inside it.
      regex: `^(\\.\\./)+${other}/`,
      message: `${folder} must not import ${other} (docs/architecture.md).`,
    }));
}

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'scratch/**', 'runs/**', 'coverage/**', 'examples/**/out/**'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js'] } } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowArray: true, allowAny: false, allowNullish: false },
      ],
      // Indexing within checked bounds is this project's daily bread; noUncheckedIndexedAccess makes `!` say so.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/prefer-literal-enum-member': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // Only the two runtimes may know which ONNX Runtime binding there is.
    files: ['**/*.ts'],
    ignores: knowsBinding,
    rules: { 'no-restricted-imports': ['error', { patterns: [binding] }] },
  },
  ...directions,
  {
    files: ['src/runtime/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: forbidden('runtime') }] },
    ignores: ['src/runtime/*.ts'],
  },
  { files: ['**/*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
  {
    files: ['**/*.test.ts', 'test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts', 'examples/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
