/** Text that no repository holds: what a model is asked to keep its general ability on. Written for this purpose. */

export const generalCode = `import { EventEmitter } from 'node:events';

/** A seat in a row of the theatre. */
export interface Seat {
  row: string;
  number: number;
  price: number;
}

export class BoxOffice extends EventEmitter {
  private readonly sold = new Map<string, Seat>();

  constructor(private readonly seats: readonly Seat[]) {
    super();
  }

  /** Seats that nobody has bought, cheapest first. */
  available(): Seat[] {
    return this.seats
      .filter((seat) => !this.sold.has(keyOf(seat)))
      .sort((a, b) => a.price - b.price);
  }

  sell(row: string, number: number): Seat {
    const seat = this.seats.find((candidate) => candidate.row === row && candidate.number === number);
    if (seat === undefined) throw new Error(\`there is no seat \${row}\${number}\`);
    if (this.sold.has(keyOf(seat))) throw new Error('that seat is taken');
    this.sold.set(keyOf(seat), seat);
    this.emit('sold', seat);
    return seat;
  }

  get income(): number {
    let total = 0;
    for (const { price } of this.sold.values()) total += price;
    return total;
  }
}

function keyOf({ row, number }: Seat): string {
  return row + number;
}

def moving_average(values, width):
    """Mean of each run of width values."""
    if width < 1:
        raise ValueError("width must be positive")
    total = 0.0
    result = []
    for index, value in enumerate(values):
        total += value
        if index >= width:
            total -= values[index - width]
        if index >= width - 1:
            result.append(total / width)
    return result


class Thermostat:
    def __init__(self, target, tolerance=0.5):
        self.target = target
        self.tolerance = tolerance
        self.heating = False

    def update(self, temperature):
        if temperature < self.target - self.tolerance:
            self.heating = True
        elif temperature > self.target + self.tolerance:
            self.heating = False
        return self.heating
`;

export const generalProse = `# Keeping bees on a roof

A hive on a flat roof does well where the wind is broken by a parapet and the bees have water within a short flight.
The colony needs room to grow in spring, so a second box is put on before the first one is full. In summer the keeper
looks for queen cells once a week, because a colony that raises a new queen is about to leave.

## Before you begin

Ask the owner of the building, the neighbours, and whoever insures the roof. Check how much weight the roof may carry:
a hive that is full of honey weighs as much as a grown person. Carry the empty boxes up first and learn the way with
them; it is no fun to find a narrow door with forty thousand bees in your arms.

## Through the year

In autumn the entrance is made smaller, so that mice stay out and the guards can defend it. The bees are fed with sugar
syrup until the combs hold enough for the winter. When it is cold they hang together in a ball and shiver to keep warm.
Do not open the hive then. Put your ear to the wall instead: a quiet hum says that all is well.

## What can go wrong

- The colony starves in March, when it has begun to breed and nothing is in flower yet.
- Water gets in through a lid that does not close, and the combs go mouldy.
- The hive is too close to an exhaust vent, and the bees never settle.

Most of these are seen early by somebody who looks often and changes little.
`;

export const generalChat: readonly { question: string; answer: string }[] = [
  { question: 'How many minutes are there in two hours?', answer: 'There are 120 minutes in two hours.' },
  {
    question: 'What is the difference between a list and a set?',
    answer: 'A list keeps its items in order and may hold the same one twice. A set holds each item once, in no order.',
  },
  {
    question: 'Write a function in Python that tells whether a number is even.',
    answer: 'def is_even(number):\n    return number % 2 == 0',
  },
  { question: 'Which planet is closest to the sun?', answer: 'Mercury is the planet that is closest to the sun.' },
  {
    question: 'Why should a function be short?',
    answer: 'A short function can be read at once, tested on its own, and given a name that says all that it does.',
  },
  {
    question: 'How do I undo the last commit in git and keep my changes?',
    answer: 'Run git reset --soft HEAD~1. The commit is gone, and its changes are staged again.',
  },
  {
    question: 'Say in one sentence what a compiler does.',
    answer: 'A compiler translates a program from the language it was written in into one that a machine can run.',
  },
  {
    question: 'What does HTTP status 404 mean?',
    answer: 'It means that the server was reached, but there is nothing at the address that was asked for.',
  },
];
