/**
 * Messages that can be received, oldest first, and fair between groups: each group that has some gives one in its turn,
 * so that one with a long backlog does not hold up the others (SQS, "Amazon SQS fair queues"). Those without a group are
 * one group together.
 */

/** First in, first out. Taking one does not move the others. */
class Fifo<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#items.length || (this.#head >= leastFreed && this.#head * 2 >= this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** Places that are free at the front are given back once they are so many, and half of all. */
const leastFreed = 1024;

interface Grouped {
  /** Empty: none. */
  readonly group: string;
}

export class ReadyList<Item extends Grouped> {
  readonly #groups = new Map<string, Fifo<Item>>();
  /** The groups that have some, in the order of their turns. */
  readonly #turns = new Fifo<Fifo<Item>>();

  push(item: Item): void {
    let line = this.#groups.get(item.group);
    if (!line) {
      line = new Fifo();
      this.#groups.set(item.group, line);
    }
    line.push(item);
    if (line.size === 1) this.#turns.push(line);
  }

  shift(): Item | undefined {
    const line = this.#turns.shift();
    const item = line?.shift();
    if (line === undefined || item === undefined) return undefined;
    if (line.size > 0) this.#turns.push(line);
    else if (item.group !== "") this.#groups.delete(item.group);
    return item;
  }
}
