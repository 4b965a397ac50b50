import tseslint from 'typescript-eslint';
import importX from 'eslint-plugin-import-x';

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
  pipeline: ['graph', 'ops', 'onnx', 'runtime', 'nn', 'models', 'text', 'data', 'checkpoints', 'evaluation', 'drawing'],
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
const zones = folders.flatMap((target) =>
  [...folders, 'cli', 'server', 'web']
    .filter((from) => from !== target && !mayImport[target].includes(from))
    .map((from) => ({
      target: `./src/${target}`,
      from: `./src/${from}`,
      message: `${target} must not import ${from} (docs/architecture.md).`,
    })),
);

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'scratch/**', 'runs/**', 'coverage/**', 'examples/**/out/**'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js'] } } },
    plugins: { 'import-x': importX },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-cycle': 'off',
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
    ignores: ['src/runtime/node/**', 'src/runtime/web/**', 'bench/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: ['onnxruntime-*'], message: 'Only src/runtime/node and src/runtime/web import onnxruntime-*.' },
          ],
        },
      ],
    },
  },
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
  {
    files: ['**/*.test.ts', 'test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
