"""The objects, as people write them and as the processes exchange them; names, quantities, the promise. No I/O."""
