import tseslint from 'typescript-eslint';

/** Spreads that an object or array literal can do without. */
const NO_NEEDLESS_SPREADS = [
  ...['alternate', 'consequent'].map((side) => ({
    selector: `ObjectExpression > SpreadElement > ConditionalExpression[${side}.type="ObjectExpression"][${side}.properties.length=0]`,
    message: 'Write `key: condition ? value : undefined` instead of spreading an empty object.',
  })),
  {
    selector: 'ObjectExpression > SpreadElement > LogicalExpression[operator="&&"]',
    message: 'Write `key: condition ? value : undefined` instead of a conditional spread.',
  },
  ...['ObjectExpression', 'ArrayExpression'].map((kind) => ({
    selector: `SpreadElement > ${kind}`,
    message:
      'Write the elements of the spread literal where they are; `// prettier-ignore` keeps the lines of a table.',
  })),
];

/** `require('mdetr')` works only if no shipped module awaits at its top level. */
const NO_TOP_LEVEL_AWAIT = [
  'AwaitExpression:not(:function AwaitExpression)',
  'ForOfStatement[await=true]:not(:function ForOfStatement)',
].map((selector) => ({ selector, message: 'No top-level await in src/: `require("mdetr")` would fail.' }));

/** Node's recursive creation of folders never ends below /proc (src/files/make-folder.ts). */
const NO_RECURSIVE_MKDIR = {
  selector: 'CallExpression[callee.name=/^mkdir(Sync)?$/][arguments.length=2]',
  message: 'Call makeFolder or makeFolderSync of src/files: a recursive mkdir hangs below /proc.',
};

/** Files of more than 300 lines, at most three. */
const LONG_FILES = [
  'src/checkpoints/pickle/pickle-machine.ts', // One interpreter: its opcodes share the stack and the memo.
];

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
      'no-duplicate-imports': 'error',
      'no-restricted-syntax': ['error', ...NO_NEEDLESS_SPREADS],
    },
  },
  {
    // The command line is never required.
    files: ['src/**/*.ts'],
    ignores: ['**/*.test.ts', 'src/cli/start/launch.ts'],
    rules: { 'no-restricted-syntax': ['error', ...NO_NEEDLESS_SPREADS, ...NO_TOP_LEVEL_AWAIT, NO_RECURSIVE_MKDIR] },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['**/*.test.ts', ...LONG_FILES],
    rules: { 'max-lines': ['error', { max: 300, skipBlankLines: false, skipComments: false }] },
  },
  {
    // The examples' types are those of packages that only their own builds install (test/full/app-examples.test.ts).
    files: ['**/*.js', '**/*.mjs', 'examples/next/**/*.tsx', 'examples/electron/**/*.ts'],
    ...tseslint.configs.disableTypeChecked,
  },
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
