export * from './define-op.ts';
export * from './dim.ts';
export * from './dtype.ts';
export * from './print.ts';
export * from './program.ts';
export * from './signature.ts';

export * from './tensor.ts';
export * from './fold.ts';
export * from './partition.ts';
export * from './rewrite.ts';
