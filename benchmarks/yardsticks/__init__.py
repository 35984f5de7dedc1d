"""What is measured against: the usual ways, each as plain as it is written everywhere."""
