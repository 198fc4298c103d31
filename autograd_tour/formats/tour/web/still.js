// A stop whose numbers stay as they were recorded.

import { startStop } from "./stop.js";

startStop();
