"""Compiled sweeps: a cell's step, traced and compiled to one loop over all rows and times. In the order of the work:

record       what a step does, as a list of torch's operations
trace        the step and its gradient, recorded: what needs no rows, and what does
lower        every tensor as expressions of one unit, by formulas (pointwise) and rules (the rest); expression, values
plan         two kernels: what is stored where, and what the way back needs; schedule puts them in order
emit         a kernel as readable Numba source, of explicit SIMD (vector, maths, term), products and copies (machine)
build        source to machine code, kept in the cache folder, by the few passes of Numba that it takes (passes)
program      all of this for one cell, found again as long as nothing about it has changed
sweep        a program run over memory, forward and backward, on torch's own threads (launch)
differentiable, operator   a sweep under autograd, and under torch's compiler
run, step    the doors: a whole sweep for `scan`, one step for streams

Beside them stand the loops of word vectors, written by hand; `throughtime.vectors` calls them from its threads:

cooccur      words beside words, counted row by row in whole numbers
glove        a step of AdaGrad for each non-zero
word2vec     skip-gram and CBOW, with three objectives and with parts of words, a chunk of the text at a time; rows has
             its products and steps, six rows at once, merge makes copies of a table that learned apart one, and grams
             numbers the parts of words
best         the best of very many scores, for the neighbours of words
decimal      numbers to text and back, for files of vectors

And the loops of conditional random fields; `throughtime.heads.paths` calls them:

chain        the door: tensors to a table of addresses, on torch's own threads
lattice      what the loops share: that table, and a thread's memory
crf          sums over all paths, and their posteriors, which are their gradients
viterbi      the best path
"""
