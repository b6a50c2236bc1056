/**
 * Messages to another thread: those of one turn of the event loop leave as one text. Text crosses between threads at a
 * third of what objects cost there, and one message at a tenth of ten. What crosses is what JSON can hold: what is
 * undefined is not there on the other side.
 */

/** Gives what takes the messages; `post` gets the text. */
export function createTurnPost<M>(post: (text: string) => void): (message: M) => void {
  let turn: M[] = [];
  const flush = (): void => {
    const messages = turn;
    turn = [];
    post(JSON.stringify(messages));
  };
  return (message) => {
    turn.push(message);
    // Microtasks would not do: they run behind each callback, of which a turn has many.
    if (turn.length === 1) setImmediate(flush);
  };
}

/** The messages of a text that `createTurnPost` made, in their order. The caller names their type: both are one program. */
export function readTurn<M>(text: string): M[] {
  return JSON.parse(text) as M[];
}
