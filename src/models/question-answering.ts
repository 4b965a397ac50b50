import type { Tensor } from '../engine/graph/index.ts';
import { Linear, Mlp, type Scope } from '../nn/index.ts';
import { slice, squeeze } from '../engine/ops/index.ts';
import { qaDataset, type ModelConfig } from './config.ts';

/** Names of the answer heads of GQA and CLEVR; `answer` is GQA's joint head. */
export type AnswerHeadName =
  | 'answer'
  | 'answer_type'
  | 'answer_obj'
  | 'answer_rel'
  | 'answer_attr'
  | 'answer_cat'
  | 'answer_global'
  | 'answer_binary'
  | 'answer_reg';

/** Answer logits (B, classes) under the official output names, those of the configured heads; `pred_answer_binary` (B). */
export type AnswerLogits = { readonly [Name in AnswerHeadName as `pred_${Name}`]?: Tensor };

/** An answer head: the number of its classes, and the index of the question query that it reads. */
interface AnswerHead {
  readonly name: AnswerHeadName;
  readonly classes: number;
  readonly query: number;
}

const GQA_HEADS: readonly AnswerHead[] = [
  { name: 'answer_type', classes: 5, query: 0 },
  { name: 'answer_rel', classes: 1594, query: 2 },
  { name: 'answer_obj', classes: 3, query: 1 },
  { name: 'answer_global', classes: 111, query: 5 },
  { name: 'answer_attr', classes: 403, query: 3 },
  { name: 'answer_cat', classes: 678, query: 4 },
];

const CLEVR_HEADS: readonly AnswerHead[] = [
  { name: 'answer_type', classes: 3, query: 0 },
  { name: 'answer_binary', classes: 1, query: 1 },
  { name: 'answer_attr', classes: 15, query: 3 },
  { name: 'answer_reg', classes: 20, query: 2 },
];

const JOINT_HEAD: AnswerHead = { name: 'answer', classes: 1853, query: 0 };

const answerHeads = (config: ModelConfig): readonly AnswerHead[] => {
  if (!config.split_qa_heads) return [JOINT_HEAD];
  return qaDataset(config) === 'gqa' ? GQA_HEADS : CLEVR_HEADS;
};

/** Number of learned question queries, which follow the detection queries. */
export const answerQueryCount = (config: ModelConfig): number => (config.do_qa ? answerHeads(config).length : 0);

/** Heads that classify answers from the question queries (section 4.3 of the paper). CLEVR's counting head is an MLP. */
export class QuestionAnswering {
  private readonly heads: readonly { readonly head: AnswerHead; readonly layer: Linear | Mlp }[];

  constructor(scope: Scope, config: ModelConfig) {
    const { hidden_dim: features } = config;
    this.heads = answerHeads(config).map((head) => {
      const at = scope.at(`${head.name}_head`);
      return {
        head,
        layer:
          head.name === 'answer_reg'
            ? new Mlp(at, features, features, head.classes, 3)
            : new Linear(at, features, head.classes),
      };
    });
  }

  /** Answer logits from the question queries of one decoder layer, embeds (B, n, D). */
  forward(embeds: Tensor): AnswerLogits {
    return Object.fromEntries(
      this.heads.map(({ head, layer }) => {
        const logits = layer.forward(squeeze(slice(embeds, 1, head.query, head.query + 1), 1));
        return [`pred_${head.name}`, head.classes === 1 ? squeeze(logits, -1) : logits];
      }),
    );
  }
}
