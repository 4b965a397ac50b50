import { describe, expect, it } from 'vitest';
import { parseShard, shardPath } from './shard-option.ts';

describe('--shard', () => {
  it('is I/N, or what a scheduler says', () => {
    expect(parseShard('3/16')).toEqual({ index: 3, count: 16 });
    expect(
      parseShard('auto', { SLURM_ARRAY_TASK_ID: '5', SLURM_ARRAY_TASK_COUNT: '4', SLURM_ARRAY_TASK_MIN: '2' }),
    ).toEqual({
      index: 3,
      count: 4,
    });
    expect(parseShard('auto', { JOB_COMPLETION_INDEX: '0', JOB_COMPLETIONS: '2' })).toEqual({ index: 0, count: 2 });
    expect(parseShard('auto', { OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2' })).toEqual({
      index: 1,
      count: 2,
    });
  });

  it.each(['16/16', '-1/2', '1', '1/0', 'a/b', '0/1000000'])('is not %s', (text) => {
    expect(() => parseShard(text)).toThrow('write I/N');
  });

  it('needs a scheduler for auto, and its number of parts', () => {
    expect(() => parseShard('auto', {})).toThrow('no scheduler');
    expect(() => parseShard('auto', { JOB_COMPLETION_INDEX: '0' })).toThrow('JOB_COMPLETIONS is not');
  });

  it('stands in the name of the results', () => {
    const shard = { index: 3, count: 16 };
    expect(shardPath('out/found.jsonl', shard)).toBe('out/found.00003-of-00016.jsonl');
    expect(shardPath('out.d/labels/', shard)).toBe('out.d/labels.00003-of-00016');
    expect(shardPath('.hidden', shard)).toBe('.hidden.00003-of-00016');
  });
});
