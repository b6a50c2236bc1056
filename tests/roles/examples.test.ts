/** The tests of the examples are tests of ours: a newcomer copies both. */

import "../../examples/handlers/charge-card.test.ts";
import "../../examples/handlers/send-email.test.ts";
