import type { MetricDefinition } from '../../metrics/metric-definition.ts';
import { GqaEvaluator } from '../../metrics/gqa.ts';
import { PREDICTION_FORMATS } from '../../metrics/predictions.ts';
import { annotationBenchmark } from '../annotation-benchmark.ts';
import { answerEvaluation, questionIdOf, requireAnswer } from '../question-answers.ts';
import { gqaDetails, gqaQuestionOf } from './questions.ts';

const METRICS: readonly MetricDefinition[] = [
  { id: 'accuracy', title: 'accuracy', description: 'fraction of correct answers' },
  { id: 'binary', title: 'binary', description: 'accuracy of questions with two possible answers' },
  { id: 'open', title: 'open', description: 'accuracy of open questions' },
  { id: 'structural/*', title: 'structural/*', description: 'accuracy by structural type (verify, query, …)' },
  { id: 'semantic/*', title: 'semantic/*', description: 'accuracy by semantic type (obj, attr, rel, cat, global)' },
  { id: 'detailed/*', title: 'detailed/*', description: 'accuracy by detailed type' },
  { id: 'steps/*', title: 'steps/*', description: 'accuracy by number of reasoning steps' },
  { id: 'words/*', title: 'words/*', description: 'accuracy by number of words in the question' },
  { id: 'type_accuracy', title: 'type_accuracy', description: 'fraction of correctly predicted semantic types' },
  { id: 'distribution', title: 'distribution', description: 'chi-square distance of answers / 100; lower is better' },
  { id: 'consistency', title: 'consistency', description: 'accuracy of questions entailed by a correct answer' },
  { id: 'validity', title: 'validity', description: 'fraction of answers that are valid for the question' },
  { id: 'plausibility', title: 'plausibility', description: 'fraction of answers that are plausible in the world' },
];

/** Accuracy of answers on GQA, by type of question. Official counterpart: GQA's own `eval.py`. */
export const gqaBenchmark = annotationBenchmark({
  name: 'gqa',
  description: 'answers on GQA: accuracy, by type of question',
  annotations: 'annotation file in the official format (finetune_gqa_testdev_balanced.json)',
  groundTruth: {
    description: 'its question file',
    fullDescription: "GQA's question file",
    isRequired: false,
  },
  options: {},
  predictions: PREDICTION_FORMATS.gqa,
  submission: 'JSON list of question ids and answers',
  metrics: METRICS,
  bestMetric: () => 'accuracy',
  validation: { datasets: ['gqa', 'clevr_question'], answers: 'gqa' },
  checkRow(row, { allowsMissingAnswers }) {
    if (!allowsMissingAnswers) requireAnswer(row);
  },
  open(rows, { groundTruth, allowsMissingAnswers }) {
    const details =
      groundTruth === undefined
        ? undefined
        : gqaDetails(groundTruth, new Set(Array.from(rows, (row) => String(questionIdOf(row)))));
    return answerEvaluation(rows, {
      title: 'gqa',
      allowsMissingAnswers,
      questionOf: (row) => gqaQuestionOf(row, details),
      evaluatorOf: (questions) => new GqaEvaluator(questions),
    });
  },
});
