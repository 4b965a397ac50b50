import type { Tensor } from '../engine/graph/index.ts';
import { Linear, Mlp, type Scope } from '../nn/index.ts';
import { slice, squeeze } from '../engine/ops/index.ts';
import { qaDataset, type ModelConfig } from './config.ts';

/** The name of a head, its number of classes, and which of the question queries it reads. */
interface AnswerHead {
  readonly name: string;
  readonly classes: number;
  readonly query: number;
}

const gqaHeads: readonly AnswerHead[] = [
  { name: 'answer_type', classes: 5, query: 0 },
  { name: 'answer_rel', classes: 1594, query: 2 },
  { name: 'answer_obj', classes: 3, query: 1 },
  { name: 'answer_global', classes: 111, query: 5 },
  { name: 'answer_attr', classes: 403, query: 3 },
  { name: 'answer_cat', classes: 678, query: 4 },
];

const clevrHeads: readonly AnswerHead[] = [
  { name: 'answer_type', classes: 3, query: 0 },
  { name: 'answer_binary', classes: 1, query: 1 },
  { name: 'answer_attr', classes: 15, query: 3 },
  { name: 'answer_reg', classes: 20, query: 2 },
];

const jointHead: AnswerHead = { name: 'answer', classes: 1853, query: 0 };

const answerHeads = (config: ModelConfig): readonly AnswerHead[] => {
  if (!config.split_qa_heads) return [jointHead];
  return qaDataset(config) === 'gqa' ? gqaHeads : clevrHeads;
};

/** How many learned queries stand behind the detection queries to answer questions. */
export const answerQueryCount = (config: ModelConfig): number => (config.do_qa ? answerHeads(config).length : 0);

/** The heads that read answers off the question queries (section 4.3 of the paper). Counting has a deeper one. */
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

  /** embeds (B, n, D), the question queries of one decoder layer → logits (B, classes) under `pred_answer_type` …; `pred_answer_binary` (B). */
  forward(embeds: Tensor): Readonly<Record<string, Tensor>> {
    return Object.fromEntries(
      this.heads.map(({ head, layer }) => {
        const logits = layer.forward(squeeze(slice(embeds, 1, head.query, head.query + 1), 1));
        return [`pred_${head.name}`, head.classes === 1 ? squeeze(logits, -1) : logits];
      }),
    );
  }
}
