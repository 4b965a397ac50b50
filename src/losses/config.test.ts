import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../models/index.ts';
import { boxNormalizer, criterionConfigKeys, lossWeights, parseCriterionConfig } from './index.ts';

const weightsOf = (values: Record<string, unknown>) =>
  lossWeights({ ...parseModelConfig(values), ...parseCriterionConfig(values) });

describe('the settings of the loss', () => {
  it('has the defaults of the official command line', () => {
    expect(weightsOf({ aux_loss: false })).toEqual({
      loss_ce: 1,
      loss_bbox: 5,
      loss_giou: 2,
      loss_contrastive_align: 1,
    });
    expect(parseCriterionConfig({})).toMatchObject({ eos_coef: 0.1, temperature_NCE: 0.07, positive_map: 'binary' });
  });

  it('takes the coefficients of the config, and those of CLEVR answers as fixed', () => {
    const answers = { do_qa: 1, split_qa_heads: 1, qa_loss_coef: 25, aux_loss: false, contrastive_align_loss: false };
    expect(weightsOf({ ...answers, qa_dataset: 'gqa' })).toMatchObject({ loss_answer_type: 25, loss_answer_rel: 25 });
    expect(weightsOf({ ...answers, qa_dataset: 'clevr' })).toEqual({
      loss_ce: 1,
      loss_bbox: 5,
      loss_giou: 2,
      loss_answer_type: 25,
      loss_answer_binary: 1,
      loss_answer_attr: 1,
      loss_answer_reg: 1,
    });
    expect(weightsOf({ ...answers, qa_dataset: 'clevr', clevr_answer_loss_coef: 3 })).toMatchObject({
      loss_answer_type: 25,
      loss_answer_binary: 3,
      loss_answer_attr: 3,
      loss_answer_reg: 3,
    });
  });

  it('repeats all weights for every layer but the last', () => {
    const weights = weightsOf({ dec_layers: 3, giou_loss_coef: 7 });
    expect(Object.keys(weights)).toHaveLength(4 * 3);
    expect(weights).toMatchObject({ loss_giou: 7, loss_giou_0: 7, loss_giou_1: 7 });
    expect(weights).not.toHaveProperty('loss_giou_2');
  });

  it('refuses what makes no sense, by name, and leaves other keys alone', () => {
    expect(() => parseCriterionConfig({ eos_coef: -1 }, 'a.json')).toThrow(/^a\.json: "eos_coef" /);
    expect(() => parseCriterionConfig({ set_loss: 'greedy' })).toThrow('"set_loss"');
    expect(() => parseCriterionConfig({ set_cost_class: 0, set_cost_bbox: 0, set_cost_giou: 0 })).toThrow('all 0');
    expect(parseCriterionConfig({ lr: 'fast' })).toEqual(parseCriterionConfig({}));
    expect(criterionConfigKeys).toContain('temperature_NCE');
  });

  it('divides by the mean number of boxes of the workers, at least 1', () => {
    expect(boxNormalizer(0)).toBe(1);
    expect(boxNormalizer(5, 2)).toBe(2.5);
    expect(boxNormalizer(1, 4)).toBe(1);
  });
});
