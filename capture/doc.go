// Package capture gives frames on loan: from a V4L2 camera, from a test
// pattern, or from a clip that is replayed.
//
// The journey of a frame:
//
//  1. Choices weighs what the source can give against a Wish (choose.go).
//  2. Configure sets the best choice and says what the source really does.
//  3. Start lets it run; Next waits for a frame and lends it (frame.go).
//  4. The last Release gives the buffer back, and the source fills it again
//     (loan.go).
//  5. Stop refuses new loans, waits until nothing is lent, and frees the buffers.
package capture
