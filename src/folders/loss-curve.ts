/** The loss of an absorption as few enough points to draw and to send, however long it runs. */
import type { LossPoint } from '../../protocol/view.ts';

const mostPoints = 200;

export class LossCurve {
  private points: LossPoint[] = [];
  /** How many reports each point is the mean of; the last may still be filling. */
  private reportsPerPoint = 1;
  private inLastPoint = 0;

  /** Steps that were reached before are replaced: after a crash an absorption goes on from its last checkpoint. */
  add(step: number, loss: number): void {
    if (this.points.length > 0 && step < this.points.at(-1)!.step) {
      this.points = this.points.filter((point) => point.step < step);
      this.inLastPoint = this.reportsPerPoint;
    }
    const last = this.points.at(-1);
    if (last !== undefined && this.inLastPoint < this.reportsPerPoint) {
      this.inLastPoint += 1;
      const weight = 1 / this.inLastPoint;
      this.points[this.points.length - 1] = { step, loss: last.loss + (loss - last.loss) * weight };
      return;
    }
    this.points.push({ step, loss });
    this.inLastPoint = 1;
    if (this.points.length > mostPoints) this.halve();
  }

  /** At most 200, by step. */
  all(): LossPoint[] {
    return [...this.points];
  }

  private halve(): void {
    const halved: LossPoint[] = [];
    for (let index = 0; index < this.points.length; index += 2) {
      const first = this.points[index]!;
      const second = this.points[index + 1];
      halved.push(second === undefined ? first : { step: second.step, loss: (first.loss + second.loss) / 2 });
    }
    this.inLastPoint += this.points.length % 2 === 0 ? this.reportsPerPoint : 0;
    this.points = halved;
    this.reportsPerPoint *= 2;
  }
}
