"""What holds a model in memory: plain classes that know neither Ray nor the pipeline around them."""
