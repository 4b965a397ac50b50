import type { Metrics } from '../../metrics/metrics.ts';

/** Property that tells the object of an expression apart. */
export type ExpressionKind = 'place' | 'color' | 'size';

/** Count of cases and of those that are right. */
class Fraction {
  private count = 0;
  private right = 0;

  add(isRight: boolean): void {
    this.count++;
    if (isRight) this.right++;
  }

  get size(): number {
    return this.count;
  }

  get value(): number {
    return this.count === 0 ? NaN : this.right / this.count;
  }

  /** Standard error of the fraction. */
  get error(): number {
    return Math.sqrt((this.value * (1 - this.value)) / this.count);
  }
}

/** Counts of the measures of photographs. */
export class PhotoMetrics {
  private readonly nouns = new Fraction();
  private readonly largeNouns = new Fraction();
  private readonly smallNouns = new Fraction();
  private readonly phrases = new Fraction();
  private readonly present = new Fraction();
  private readonly absent = new Fraction();
  private readonly expressions = { place: new Fraction(), color: new Fraction(), size: new Fraction() };

  addNoun(isRight: boolean, isLarge: boolean): void {
    this.nouns.add(isRight);
    (isLarge ? this.largeNouns : this.smallNouns).add(isRight);
  }

  addPresent(isBoxed: boolean): void {
    this.present.add(isBoxed);
  }

  addAbsent(isBoxed: boolean): void {
    this.absent.add(isBoxed);
  }

  addPhrase(isRight: boolean): void {
    this.phrases.add(isRight);
  }

  addExpression(kind: ExpressionKind, isRight: boolean): void {
    this.expressions[kind].add(isRight);
  }

  /** Metrics by identifier, with standard errors and counts as details. */
  results(): Metrics {
    const named: readonly (readonly [string, Fraction])[] = [
      ['noun_top_box', this.nouns],
      ['noun_top_box/large', this.largeNouns],
      ['noun_top_box/small', this.smallNouns],
      ['caption_phrases', this.phrases],
      ['expressions/place', this.expressions.place],
      ['expressions/color', this.expressions.color],
      ['expressions/size', this.expressions.size],
      ['present_nouns_boxed', this.present],
      ['absent_nouns_boxed', this.absent],
    ];
    return Object.fromEntries(
      named
        .filter(([, { size }]) => size > 0)
        .flatMap(([id, fraction]) => [
          [id, fraction.value],
          [`standard_error/${id}`, fraction.error],
          [`cases/${id}`, fraction.size],
        ]),
    );
  }
}
